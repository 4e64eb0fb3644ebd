"""General distillation: the intermediate losses only, resumable to the same result."""

import signal
from pathlib import Path

import keras
import numpy as np
import pytest
from killed_process import run_killed

import tinybert_tf as tb
from tinybert_tf.pretraining import general_distill
from tinybert_tf.pretraining.batches import CorpusBatches
from tinybert_tf.pretraining.throughput import Throughput

# Distils in a process of its own; with a limit, it kills itself mid-epoch.
SCRIPT = """
import tinybert_tf as tb
from tinybert_tf.pretraining import Corpus, general_distill

teacher = tb.TinyBertBackbone(17, 2, 2, 16, 32, max_sequence_length=16)
student = tb.TinyBertBackbone(17, 1, 2, 8, 16, max_sequence_length=16)
general_distill(
    teacher, student, Corpus({corpus!r}), epochs=2, batch_size=8, seed=3, run_dir={run_dir!r},
    learning_rate=1e-3, callbacks=[Killer()], verbose=0,
)
np.savez({result!r}, *student.get_weights())
"""


def run(tmp_path: Path, corpus, run_dir: str, kill_at: int = 0) -> int:
    return run_killed(
        SCRIPT,
        corpus=str(corpus.folder),
        kill_at=kill_at,
        run_dir=str(tmp_path / run_dir),
        result=str(tmp_path / f"{run_dir}.npz"),
    )


@pytest.mark.slow
def test_killed_run_ends_like_an_uninterrupted_one(tmp_path, corpus):
    steps = len(CorpusBatches(corpus, 8))
    run(tmp_path, corpus, "whole")
    assert run(tmp_path, corpus, "killed", kill_at=steps + 2) == -signal.SIGKILL
    run(tmp_path, corpus, "killed")
    with np.load(tmp_path / "whole.npz") as a, np.load(tmp_path / "killed.npz") as b:
        for name in a.files:
            np.testing.assert_array_equal(a[name], b[name])


def test_losses_fall_and_head_stays(new_backbone, corpus):
    teacher = new_backbone(num_layers=2, seed=1)
    student = new_backbone(seed=2)
    pooler = student.pooler.get_weights()[0]
    history = general_distill(
        teacher, student, corpus, epochs=8, batch_size=8, learning_rate=3e-3, verbose=0
    )
    assert set(history) == {"loss", "embedding_loss", "hidden_loss", "attention_loss"}
    assert history["loss"][-1] < 0.7 * history["loss"][0]
    np.testing.assert_array_equal(pooler, student.pooler.get_weights()[0])


def test_first_loss_is_the_sum_of_the_three(new_backbone, corpus):
    """One step over the whole corpus in a batch, by hand."""
    teacher = new_backbone(num_layers=2, seed=1, dropout=0.0)
    student = new_backbone(seed=2, dropout=0.0)
    batches = CorpusBatches(corpus, 4, steps=1)
    x = batches.batch(0, 0)[0]

    def states(backbone):
        view = keras.Model(backbone.input, backbone.intermediates)
        return {k: [np.array(v) for v in values] for k, values in view(x).items()}

    own, other = states(student), states(teacher)
    mask = x["padding_mask"].astype("float64")
    expected = 0.0
    for a, b in (
        (own["hidden_states"][0], other["hidden_states"][0]),
        (own["hidden_states"][1], other["hidden_states"][2]),
    ):
        per_row = (((a - b) ** 2).mean(-1) * mask).sum(1) / mask.sum(1)
        expected += per_row.mean()
    squared = (own["attention_scores"][0] - other["attention_scores"][1]) ** 2
    both = mask[:, None, :, None] * mask[:, None, None, :]
    expected += ((squared * both).sum((1, 2, 3)) / (2 * mask.sum(1) ** 2)).mean()
    history = general_distill(teacher, student, corpus, epochs=1, batch_size=4, steps=1, verbose=0)
    assert history["loss"][0] == pytest.approx(expected, rel=1e-4)


def test_task_models_lend_their_encoders(new_masked_lm, new_backbone, corpus):
    student = new_backbone()
    before = student.embeddings.token_embedding.embeddings.numpy()
    general_distill(new_masked_lm(), student, corpus, epochs=1, steps=2, verbose=0)
    assert (student.embeddings.token_embedding.embeddings.numpy() != before).any()
    other = tb.TinyBertMaskedLM(
        new_backbone(),
        tb.TinyBertTextClassifierPreprocessor(
            tb.TinyBertTokenizer([*new_masked_lm().wordpiece.vocabulary[:-1], "##z"]), 16
        ),
    )
    with pytest.raises(tb.TinyBertError, match="vocabulary"):
        general_distill(other, student, corpus)


def test_throughput_line(new_backbone, corpus):
    lines = []
    batches = CorpusBatches(corpus, 8)
    watch = Throughput(batches, every=0.0, write=lines.append)
    general_distill(
        new_backbone(num_layers=2),
        new_backbone(),
        corpus,
        epochs=1,
        batch_size=8,
        callbacks=[watch],
        verbose=0,
    )
    assert len(lines) == len(batches) + 1
    assert f"{len(batches)} steps" in lines[-1] and "tokens/s; at most 0 min" in lines[-1]
    assert watch.tokens_per_second > 0
