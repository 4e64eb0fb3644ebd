"""Writes docs/worked_example.md: "Hello, world!" through two blocks of width 2, number by number.

    python docs/worked_example.py

The weights are chosen by hand; every matrix on the page is computed by the package's own layers,
in double precision, so that three decimals are the same everywhere.
"""

import os
import re
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

PAGE = Path(__file__).with_suffix(".md")
TEMPLATE = Path(__file__).with_suffix(".template.md")
TEXT = "Hello, world!"
VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "hello", "world", ",", "!"]
LABELS = ["greeting", "request"]
EPSILON = 1.0
INTERMEDIATE = ("attention", "hidden", "embedding")
TEACHER = 1.0  # every score, state and logit of the teacher on the page

WORDS = [[0, 0], [0, 0], [1, -1], [0, -1], [0, 0], [2, 1], [-1, 2], [0.5, 0], [1, 1]]
POSITIONS = [[0, 0], [0.5, 0], [0, 0.5], [-0.5, 0], [0, -0.5], [0.5, 0.5]]
SEGMENTS = [[0.5, 0.5], [0, 0]]
NORM = ([1, 2], [0.5, 0])  # gain and bias of every LayerNorm
# of each block: kernel (inputs, outputs) and bias
BLOCKS = [
    {
        "query": ([[1, 0], [0, 1]], [0, 0]),
        "key": ([[0, 1], [1, 0]], [0, 0.5]),
        "value": ([[1, 1], [0, 1]], [0, 0]),
        "output": ([[1, 0], [0.5, 1]], [0, 0]),
        "inner": ([[1, -1, 0, 1], [0, 1, 1, -1]], [0, 0, 0.5, 0]),
        "outer": ([[1, 0], [0, 1], [1, 0], [0, -1]], [0, 0.5]),
    },
    {
        "query": ([[1, 0], [1, 1]], [0.5, 0]),
        "key": ([[1, 1], [0, 1]], [0, 0]),
        "value": ([[0, 1], [1, 0]], [0, 0]),
        "output": ([[1, -1], [1, 1]], [0, 0]),
        "inner": ([[0, 1, 1, -1], [1, 0, 1, 1]], [0, 0.5, 0, 0]),
        "outer": ([[0.5, 0], [0, 0.5], [0.5, 0.5], [1, -1]], [0, 0]),
    },
]
POOLER = ([[1, 0.5], [-0.5, 1]], [0, 0])
HEAD = ([[1, -1], [2, 0.5]], [0, 0.5])


def build_classifier():
    """A `TinyBertTextClassifier` of two blocks with the weights above."""
    import tinybert_tf as tb

    backbone = tb.TinyBertBackbone(
        vocabulary_size=len(VOCABULARY),
        num_layers=2,
        num_heads=1,
        hidden_dim=2,
        intermediate_dim=4,
        max_sequence_length=len(POSITIONS),
        layer_norm_epsilon=EPSILON,
        dtype="float64",
    )
    tokenizer = tb.TinyBertTokenizer(VOCABULARY)
    preprocessor = tb.TinyBertTextClassifierPreprocessor(tokenizer, sequence_length=len(POSITIONS))
    classifier = tb.TinyBertTextClassifier(backbone, labels=LABELS, preprocessor=preprocessor)
    embeddings = backbone.embeddings
    embeddings.token_embedding.set_weights([np.array(WORDS)])
    embeddings.position_embedding.set_weights([np.array(POSITIONS)])
    embeddings.segment_embedding.set_weights([np.array(SEGMENTS)])
    set_weights(embeddings.layer_norm, NORM)
    for block, weights in zip(backbone.encoder_blocks, BLOCKS, strict=True):
        set_weights(block.attention_layer_norm, NORM)
        set_weights(block.output_layer_norm, NORM)
        attention, network = block.attention, block.feed_forward
        for layer, name in (
            (attention.query_dense, "query"),
            (attention.key_dense, "key"),
            (attention.value_dense, "value"),
            (attention.output_dense, "output"),
            (network.intermediate_dense, "inner"),
            (network.output_dense, "outer"),
        ):
            set_weights(layer, weights[name])
    set_weights(backbone.pooler, POOLER)
    set_weights(classifier.output_dense, HEAD)
    return classifier


def set_weights(layer, weights) -> None:
    """Puts kernel and bias, or gain and bias, into a layer."""
    layer.set_weights([np.array(part, "float64") for part in weights])


def run_block(block, hidden) -> dict:
    """Every matrix of one encoder block, each by the layer that computes it in the model."""
    from keras import ops

    attention, network = block.attention, block.feed_forward
    key, value = attention.project(hidden)
    query = attention._split_heads(attention.query_dense(hidden))
    attended, scores = attention.attend(hidden, key, value)
    probabilities = ops.softmax(scores)
    middle = block.attention_layer_norm(hidden + attended)
    inner = network.intermediate_dense(middle)
    outer = network(middle)
    output, _ = block(hidden)
    return {
        "query": query[0, 0],
        "key": key[0, 0],
        "value": value[0, 0],
        "scores": scores[0, 0],
        "probabilities": probabilities[0, 0],
        "context": ops.matmul(probabilities, value)[0, 0],
        "attended": attended[0],
        "attention sum": (hidden + attended)[0],
        "middle": middle[0],
        "inner": inner[0],
        "activated": ops.gelu(inner, approximate=False)[0],
        "outer": outer[0],
        "output sum": (middle + outer)[0],
        "output": output[0],
    }


def compute() -> dict:
    """All numbers of the page.

    Returns:
        `tokens` and `inputs` of the text, `embedding` steps, `blocks` (see `run_block`), `pooled`,
        `logits`, `probabilities`, and `losses` by equation.
    """
    import keras
    from keras import ops

    from tinybert_tf.distillation.functional import attention_loss, hidden_loss, prediction_loss

    classifier = build_classifier()
    backbone = classifier.backbone
    inputs = {name: ops.convert_to_tensor(x) for name, x in classifier.preprocessor([TEXT]).items()}
    ids = inputs["token_ids"]
    embeddings = backbone.embeddings
    words = embeddings.token_embedding(ids)
    positions = embeddings.position_embedding(words)
    segments = embeddings.segment_embedding(inputs["segment_ids"])
    hidden = embeddings(ids, inputs["segment_ids"])
    states, blocks = [hidden], []
    for block in backbone.encoder_blocks:
        blocks.append(run_block(block, states[-1]))
        states.append(block(states[-1])[0])
    logits = classifier(inputs)

    mask = inputs["padding_mask"]
    scores = [ops.convert_to_tensor(block["scores"])[None, None] for block in blocks]

    def teacher(student):
        return ops.full_like(student, TEACHER)

    losses = {
        "attention": [attention_loss(own, teacher(own), mask) for own in scores],
        "hidden": [hidden_loss(own, teacher(own), mask) for own in states[1:]],
        "embedding": [hidden_loss(states[0], teacher(states[0]), mask)],
        "prediction": [prediction_loss(logits, teacher(logits))],
    }
    result = {
        "tokens": [VOCABULARY[index] for index in np.array(ids)[0]],
        "inputs": {name: value[0] for name, value in inputs.items()},
        "words": words[0],
        "positions": positions[0],
        "segments": segments[0],
        "embedding sum": (words + positions + segments)[0],
        "embedding": hidden[0],
        "blocks": blocks,
        "pooled": backbone(inputs)["pooled_output"][0],
        "logits": logits[0],
        "probabilities": ops.softmax(logits)[0],
        "losses": {name: [value[0] for value in each] for name, each in losses.items()},
    }
    return keras.tree.map_structure(
        lambda x: x if isinstance(x, str) else np.array(x, dtype="float64"), result
    )


def matrix(name: str, columns, rows, values, style: str = ".3f") -> str:
    """A Markdown table with `name` in its corner; values in `style`."""
    lines = [f"| {name} | " + " | ".join(columns) + " |", "|---|" + "--:|" * len(columns)]
    for row, line in zip(rows, np.atleast_2d(values), strict=True):
        # + 0.0: no minus before a rounded zero
        cells = " | ".join(f"{round(x, 3) + 0.0:{style}}" for x in line)
        lines.append(f"| {row} | {cells} |")
    return "\n".join(lines)


def side_by_side(*tables: str) -> str:
    """Tables in one row where the screen is wide enough."""
    return "\n\n".join(['<div class="matrices" markdown>', *tables, "</div>"])


def fill(template: str, **values: str) -> str:
    """`template` without space around it, each `<<name>>` replaced."""
    return re.sub(r"<<(\w+)>>", lambda place: values[place[1]], template.strip())


def weights_table(block: dict, names: dict) -> str:
    """Kernels of a block with their biases as last row."""
    tables = []
    for name, symbol in names.items():
        kernel, bias = block[name]
        rows = [*"1234"[: len(kernel)], "bias"]
        tables.append(matrix(symbol, "1234"[: len(bias)], rows, [*kernel, bias], "g"))
    return side_by_side(*tables)


def render(r: dict) -> str:
    """The page of what `compute` returned."""
    page_text, block_text = TEMPLATE.read_text("utf-8").split("<!-- block -->")
    tokens = [f"`{token}`" for token in r["tokens"]]

    def by_token(name, values, columns="12"):
        return matrix(name, columns, tokens, values)

    names = {
        "query": "W<sub>Q</sub>",
        "key": "W<sub>K</sub>",
        "value": "W<sub>V</sub>",
        "output": "W<sub>O</sub>",
        "inner": "W<sub>1</sub>",
        "outer": "W<sub>2</sub>",
    }
    total = {name: sum(each) for name, each in r["losses"].items()}
    values = {
        "tokens": side_by_side(matrix("", tokens, r["inputs"], list(r["inputs"].values()), "g")),
        "embeddings": side_by_side(
            by_token("word", r["words"]),
            by_token("position", r["positions"]),
            by_token("segment", r["segments"]),
            by_token("sum", r["embedding sum"]),
            by_token("H<sub>0</sub>", r["embedding"]),
        ),
        "weights_1": weights_table(BLOCKS[0], names),
        "weights_2": weights_table(BLOCKS[1], names),
        "weights_answer": weights_table(
            {"pooler": POOLER, "head": HEAD}, {"pooler": "W (pooler)", "head": "W (head)"}
        ),
        "pooled": side_by_side(
            matrix("", "12", ["pooled"], r["pooled"]),
            matrix("", LABELS, ["logits"], r["logits"]),
            matrix("", LABELS, ["probabilities"], r["probabilities"]),
        ),
        "answer": LABELS[int(np.argmax(r["logits"]))],
        "intermediate": f"{sum(total[name] for name in INTERMEDIATE):.3f}",
        **{name: f"{value:.3f}" for name, value in total.items()},
        **{
            f"{name}_{number}": f"{value:.3f}"
            for name, each in r["losses"].items()
            for number, value in enumerate(each, 1)
        },
    }
    before = r["embedding"]
    for number, block in enumerate(r["blocks"], 1):
        values[f"block_{number}"] = fill(
            block_text,
            projected=side_by_side(
                by_token("Q", block["query"]),
                by_token("K", block["key"]),
                by_token("V", block["value"]),
            ),
            scores=side_by_side(by_token("A", block["scores"], tokens)),
            probabilities=side_by_side(by_token("P", block["probabilities"], tokens)),
            context=side_by_side(
                by_token("C = P V", block["context"]),
                by_token("C W<sub>O</sub>", block["attended"]),
            ),
            middle=side_by_side(
                by_token(f"H<sub>{number - 1}</sub>", before),
                by_token("sum", block["attention sum"]),
                by_token("M", block["middle"]),
            ),
            inner=side_by_side(
                by_token("inside", block["inner"], "1234"),
                by_token("GELU", block["activated"], "1234"),
            ),
            output=side_by_side(
                by_token("FFN(M)", block["outer"]),
                by_token("sum", block["output sum"]),
                by_token(f"H<sub>{number}</sub>", block["output"]),
            ),
        )
        before = block["output"]
    return fill(page_text, text=TEXT, **values)


def main() -> None:
    """Writes the page."""
    PAGE.write_text(render(compute()) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
