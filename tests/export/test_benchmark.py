import json
import subprocess
import sys

import pytest
from export_models import build_classifier

from tinybert_tf.errors import TinyBertError
from tinybert_tf.export import to_tflite
from tinybert_tf.export.benchmark import compare_files, file_contenders
from tinybert_tf.export.resident import measure_memory


@pytest.fixture(scope="module")
def several_lengths(tmp_path_factory):
    path = tmp_path_factory.mktemp("export") / "several.tflite"
    return to_tflite(build_classifier(), path, target="float32", sequence_length=(8, 16)).path


def test_contenders_are_files_by_length_and_threads(float_file, several_lengths):
    found = file_contenders([float_file, several_lengths], threads=(1, 2))
    assert [(c.path.name, c.entry.sequence_length, c.threads) for c in found] == [
        ("model.tflite", 16, 1),
        ("several.tflite", 16, 1),
        ("model.tflite", 16, 2),
        ("several.tflite", 16, 2),
        ("several.tflite", 8, 1),
        ("several.tflite", 8, 2),
    ]
    assert len({c.name for c in found}) == len(found)
    assert found[0].size_bytes == float_file.stat().st_size
    (only,) = file_contenders([several_lengths], lengths=[8])
    assert only.entry.key == "tokens_8"


def test_files_side_by_side(float_file, several_lengths):
    steps = []
    contenders = file_contenders([float_file, several_lengths], threads=(1,))
    rows = compare_files(contenders, repeats=6, progress=lambda *step: steps.append(step))
    assert [row.contender for row in rows] == contenders
    # Two rounds of three rows, and a process for the memory of each file and length.
    assert steps == [(done, 9) for done in range(1, 10)]
    for row in rows:
        latency = row.timing.latency
        assert 0 < latency.min_ms <= latency.median_ms <= latency.max_ms
        assert latency.repeats >= 6
        assert len(row.timing.rounds) == 2
    # Ratios are to the first row of the same length: itself for the first and the only one.
    assert rows[0].timing.ratio.median == rows[2].timing.ratio.median == 1.0
    expected = [b / a for a, b in zip(rows[0].timing.rounds, rows[1].timing.rounds, strict=True)]
    assert rows[1].timing.ratio.median == pytest.approx(sum(expected) / 2)
    figures = json.loads(json.dumps([row.to_dict() for row in rows]))
    assert [row["tokens"] for row in figures] == [16, 16, 8]
    assert figures[0]["file"] == str(float_file)
    assert figures[2]["signature"] == "tokens_8"


@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")
def test_memory_grows_with_the_weights(float_file, tmp_path):
    """20,000 x 64 float32 weights in a feed-forward layer: 5 MB in the file, and once packed."""
    path = tmp_path / "wide.tflite"
    to_tflite(build_classifier(intermediate_dim=20_000, hidden_dim=64), path, target="float32")
    weights = 2 * 2 * 20_000 * 64 * 4
    small, large = measure_memory(float_file), measure_memory(path)
    assert 0 <= small.private_bytes <= small.resident_bytes < 12e6
    assert large.resident_bytes - small.resident_bytes > 0.5 * weights
    assert large.resident_bytes < 5 * weights


def test_memory_is_not_measured_unless_wanted(float_file):
    (row,) = compare_files(file_contenders([float_file]), repeats=1, memory=False)
    assert row.memory is None
    assert row.to_dict()["memory"] is None
    assert row.timing.latency.repeats == 1


def test_benchmarks_need_no_tensorflow(float_file):
    code = (
        "import sys\n"
        "from tinybert_tf.export.benchmark import compare_files, file_contenders\n"
        "from tinybert_tf.export.operator_costs import operator_costs\n"
        f"path = {str(float_file)!r}\n"
        "compare_files(file_contenders([path]), repeats=1)\n"
        "operator_costs(path, rounds=1)\n"
        "assert not {'tensorflow', 'keras', 'torch'} & set(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


# === Bad input ===


def test_a_length_that_a_file_has_not(float_file, several_lengths):
    with pytest.raises(TinyBertError, match=r"for 8, 32 tokens.*model\.tflite' for 16"):
        file_contenders([several_lengths, float_file], lengths=[8, 32])


def test_a_file_named_twice(float_file):
    with pytest.raises(TinyBertError, match="each named once"):
        file_contenders([float_file, str(float_file)])


def test_no_threads(float_file):
    with pytest.raises(TinyBertError, match=r"threads=\[0, 1\]"):
        file_contenders([float_file], threads=[0, 1])


def test_no_repeats(float_file):
    with pytest.raises(TinyBertError, match="repeats=0"):
        compare_files(file_contenders([float_file]), repeats=0)


def test_memory_of_a_file_that_cannot_be_loaded(tmp_path):
    with pytest.raises(TinyBertError, match=r"process that loads.*none\.tflite"):
        measure_memory(tmp_path / "none.tflite")
