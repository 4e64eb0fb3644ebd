"""Steps of the intermediate stage a second: this package, and the same losses in PyTorch.

    pip install -e '.[benchmark]'
    python benchmarks/training_speed.py [--data ../shared/data] [--rounds 7] [--out FILE]

Teacher: 6 blocks of width 384; student: 3 such blocks (--student tinybert_4l_312: 4 of width 312);
30,522 words; random weights. Embedding, hidden-state and raw-score losses, one AdamW step with
clipping, batch 32, the same threads. The two take turns in one process: ratios of each round, their
median and quartiles. In float32, and where dense layers multiply in bfloat16: ours in
`matmul_precision("bfloat16")`, PyTorch in `torch.autocast`, and ours against PyTorch's float32.
Ours with kept states, as `distill` keeps them, over four epochs: one pass of the teacher and four
steps of the student, against four steps of PyTorch with both; and a later epoch by itself. Then
the same step on sst2's sentences in length buckets and padded to 128.
"""

import json
import time
from pathlib import Path

import command_line
import numpy as np

import tinybert_tf as tb
from tinybert_tf.distillation.kept_states import BatchesWithStates

WORDS, BATCH = 30_522, 32
# Of the intermediate stage: TinyBERT's released code has 20, `distill` 4.
EPOCHS = 4


def main() -> None:
    parser = command_line.parser(__doc__, data=True)
    parser.add_argument("--student", default="minilm_3l_384")
    parser.add_argument("--lengths", type=int, nargs="+", default=[32, 64, 128])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path)
    run(parser.parse_args())


def run(arguments) -> None:
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(arguments.threads)
    ours = KerasStep(arguments.student)
    theirs = TorchStep(ours.shapes, arguments.threads)
    found = {}
    for length in arguments.lengths:
        ids = np.random.default_rng(0).integers(1000, WORDS, (BATCH, length)).astype("int32")
        batch = {"token_ids": ids, "segment_ids": ids * 0, "padding_mask": ids * 0 + 1}
        for name, slow, fast in (
            ("float32", theirs, ours),
            ("float32, four epochs, states kept", theirs.epochs, ours.epochs),
            ("float32, a later epoch, states kept", theirs, ours.later),
            ("bfloat16", theirs.bfloat16, ours.bfloat16),
            ("bfloat16, four epochs, states kept", theirs.bfloat16_epochs, ours.bfloat16_epochs),
            ("PyTorch float32 / ours bfloat16", theirs, ours.bfloat16),
        ):
            found[f"{length} tokens, PyTorch / ours, {name}"] = ratios(
                lambda slow=slow, batch=batch: slow(batch),
                lambda fast=fast, batch=batch: fast(batch),
                arguments,
            )
    found["sst2, padded to 128 / length buckets"] = buckets(ours, arguments)
    for name, row in found.items():
        print(name, {key: round(value, 3) for key, value in row.items()}, flush=True)
    if arguments.out:
        arguments.out.write_text(json.dumps(found, indent=2) + "\n", "utf-8")


def ratios(slow, fast, arguments) -> dict[str, float]:
    """Time of `slow` over time of `fast`, round by round."""
    slow(), fast()  # traces, allocations
    rounds = [
        (seconds(slow, arguments.steps), seconds(fast, arguments.steps))
        for _ in range(arguments.rounds)
    ]
    quotients = [a / b for a, b in rounds]
    quartiles = np.percentile(quotients, [50, 25, 75])
    own = [b / arguments.steps * 1000 for _, b in rounds]
    return {
        "ratio": quartiles[0],
        "lower quartile": quartiles[1],
        "upper quartile": quartiles[2],
        "our ms a step": float(np.median(own)),
    }


def seconds(function, calls: int) -> float:
    started = time.perf_counter()
    for _ in range(calls):
        function()
    return time.perf_counter() - started


def buckets(step: "KerasStep", arguments) -> dict[str, float]:
    """The same sentences, in batches of similar length and padded to 128 tokens."""
    wordpiece = tb.WordPiece.from_folder(tb.default_teacher())
    texts = tb.read_examples(arguments.data / "sst2" / "train_sentences.tsv").texts
    encoded = wordpiece.encode(texts, max_length=128)
    batches = tb.LengthBucketedBatches(encoded.token_ids, batch_size=BATCH)
    places = np.random.default_rng(0).permutation(len(batches))[: 8 * arguments.rounds]
    chosen = [batches.batch(0, int(place))[0] for place in places]
    padded = [{k: np.pad(v, ((0, 0), (0, 128 - v.shape[1]))) for k, v in x.items()} for x in chosen]
    for x in chosen[:16]:
        step(x)  # traces nothing new, fills caches
    quotients = []
    for start in range(0, len(chosen), 8):
        part = range(start, min(start + 8, len(chosen)))
        slow = seconds(lambda part=part: [step(padded[i]) for i in part], 1)
        fast = seconds(lambda part=part: [step(chosen[i]) for i in part], 1)
        quotients.append(slow / fast)
    quartiles = np.percentile(quotients, [50, 25, 75])
    return dict(zip(("ratio", "lower quartile", "upper quartile"), quartiles, strict=True))


class KerasStep:
    """One step of our `Distiller`."""

    def __init__(self, student: str):
        from tinybert_tf.training import bert_optimizer

        self.student, self.rounded, self.run, self.kept = student, None, None, None
        self.shapes = [tb.architecture("minilm_6l_384"), tb.architecture(student)]
        teacher, pupil = (tb.TinyBertBackbone(WORDS, **shape) for shape in self.shapes)
        self.distiller = tb.Distiller(pupil, teacher)
        self.distiller.compile(optimizer=bert_optimizer(5e-5, 10_000))
        self.distiller.optimizer.build(self.distiller.reached_variables)

    def __call__(self, batch: dict) -> None:
        self.distiller.train_on_batch(batch)

    def epochs(self, batch: dict) -> None:
        """What four epochs cost: the teacher runs in the first one."""
        kept = BatchesWithStates(
            tb.LengthBucketedBatches(list(batch["token_ids"]), shuffle=False), self.distiller
        )
        if self.run is not None:
            kept._run = self.run  # the trace of the call before, as in a longer data set
        for epoch in range(EPOCHS):
            self.distiller.train_on_batch(kept.batch(epoch, 0)[0])
        self.run, self.kept = kept._run, kept

    def later(self, batch: dict) -> None:
        """A step of an epoch after the first; `batch` is that of `epochs` before."""
        self.distiller.train_on_batch(self.kept.batch(0, 0)[0])

    def bfloat16(self, batch: dict) -> None:
        """The same with dense layers that multiply in bfloat16, in a distiller of their own."""
        if self.rounded is None:
            self.rounded = KerasStep(self.student)
        with tb.matmul_precision("bfloat16"):
            self.rounded(batch)

    def bfloat16_epochs(self, batch: dict) -> None:
        with tb.matmul_precision("bfloat16"):
            self.rounded.epochs(batch)


class TorchStep:
    """The same step written in PyTorch: raw scores handed out as in the released code."""

    def __init__(self, shapes: list[dict], threads: int):
        import torch

        torch.set_num_threads(threads)
        torch.manual_seed(0)
        self.torch = torch
        self.teacher = torch_encoder(shapes[0], dropout=0.0).eval()
        self.student = torch_encoder(shapes[1], dropout=0.1).train()
        widths = [shape["hidden_dim"] for shape in shapes]
        self.blocks = [
            round((i + 1) * shapes[0]["num_layers"] / shapes[1]["num_layers"]) - 1
            for i in range(shapes[1]["num_layers"])
        ]
        self.projections = torch.nn.ModuleList()
        if widths[0] != widths[1]:
            self.projections.extend(
                torch.nn.Linear(widths[1], widths[0], bias=False)
                for _ in range(1 + len(self.blocks))
            )
        self.parameters = [*self.student.parameters(), *self.projections.parameters()]
        self.optimizer = torch.optim.AdamW(self.parameters, lr=5e-5, weight_decay=0.01, fused=True)

    def epochs(self, batch: dict) -> None:
        for _ in range(EPOCHS):
            self(batch)

    def bfloat16(self, batch: dict) -> None:
        with self.torch.autocast("cpu", dtype=self.torch.bfloat16):
            self(batch)

    def bfloat16_epochs(self, batch: dict) -> None:
        for _ in range(EPOCHS):
            self.bfloat16(batch)

    def __call__(self, batch: dict) -> None:
        torch = self.torch
        ids, segments, mask = (
            torch.from_numpy(batch[name].astype("int64"))
            for name in ("token_ids", "segment_ids", "padding_mask")
        )
        with torch.no_grad():
            states, scores = self.teacher(ids, segments, mask)
        own_states, own_scores = self.student(ids, segments, mask)
        real = mask.float()
        both = real[:, None, :, None] * real[:, None, None, :]
        pairs = [(0, 0), *((i + 1, block + 1) for i, block in enumerate(self.blocks))]
        loss = 0.0
        for index, (mine, theirs) in enumerate(pairs):
            projected = own_states[mine]
            if self.projections:
                projected = self.projections[index](projected)
            squared = (projected - states[theirs]).square().mean(-1) * real
            loss = loss + (squared.sum(1) / real.sum(1)).mean()
        for index, block in enumerate(self.blocks):
            squared = (own_scores[index] - scores[block]).square() * both
            heads = squared.shape[1]
            loss = loss + (squared.sum((1, 2, 3)) / (heads * real.sum(1).square())).mean()
        self.optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.parameters, 1.0)
        self.optimizer.step()
        loss.item()


def torch_encoder(shape: dict, dropout: float):
    """BERT's encoder in PyTorch, with hidden states and raw attention scores as outputs."""
    import torch
    from torch import nn

    width, heads, inner = shape["hidden_dim"], shape["num_heads"], shape["intermediate_dim"]

    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.query, self.key, self.value, self.output = (
                nn.Linear(width, width) for _ in range(4)
            )
            self.inner, self.outer = nn.Linear(width, inner), nn.Linear(inner, width)
            self.norms = nn.ModuleList(nn.LayerNorm(width, eps=1e-12) for _ in range(2))
            self.dropout = nn.Dropout(dropout)

        def forward(self, hidden, bias):
            batch, length, _ = hidden.shape

            def split(x):
                return x.view(batch, length, heads, -1).transpose(1, 2)

            query, key, value = (
                split(layer(hidden)) for layer in (self.query, self.key, self.value)
            )
            scores = query @ key.transpose(-1, -2) / (width // heads) ** 0.5
            weights = self.dropout(torch.softmax(scores + bias, dim=-1))
            context = (weights @ value).transpose(1, 2).reshape(batch, length, width)
            hidden = self.norms[0](hidden + self.dropout(self.output(context)))
            inner_states = nn.functional.gelu(self.inner(hidden))
            return self.norms[1](hidden + self.dropout(self.outer(inner_states))), scores

    class Encoder(nn.Module):
        def __init__(self):
            super().__init__()
            self.tables = nn.ModuleList(nn.Embedding(rows, width) for rows in (WORDS, 512, 2))
            self.norm, self.dropout = nn.LayerNorm(width, eps=1e-12), nn.Dropout(dropout)
            self.blocks = nn.ModuleList(Block() for _ in range(shape["num_layers"]))

        def forward(self, ids, segments, mask):
            places = torch.arange(ids.shape[1])
            total = self.tables[0](ids) + self.tables[1](places) + self.tables[2](segments)
            hidden = self.dropout(self.norm(total))
            bias = (1.0 - mask.float())[:, None, None, :] * -1e9
            states, scores = [hidden], []
            for block in self.blocks:
                hidden, raw = block(hidden, bias)
                states.append(hidden)
                scores.append(raw)
            return states, scores

    return Encoder()


if __name__ == "__main__":
    main()
