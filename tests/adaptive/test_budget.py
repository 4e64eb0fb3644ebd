"""Sub-networks measured as files: each row is the file's own."""

import numpy as np
import pytest
from adaptive_models import LABELS, TEXTS

import tinybert_tf as tb
from tinybert_tf import export
from tinybert_tf.adaptive import AdaptiveStudent, Pareto


@pytest.fixture(scope="module")
def student(teacher):
    return AdaptiveStudent.from_classifier(
        teacher, TEXTS, LABELS, widths=(0.25, 1.0), depths=(0.5, 1.0)
    )


@pytest.mark.slow
def test_rows_are_measured_on_the_files(student, tmp_path):
    names = []
    pareto = export.measure_subnetworks(
        student,
        TEXTS[:8],
        LABELS[:8],
        tmp_path,
        target="float32",
        repeats=5,
        title="tiny",
        progress=names.append,
    )
    assert isinstance(pareto, Pareto)
    assert pareto.title == "tiny"
    assert names == [row.file for row in pareto.rows]
    assert names[0] == "width_0.25_depth_0.5.tflite"
    assert {path.name for path in tmp_path.iterdir()} == set(names)
    for row, found in zip(pareto.rows, student.subnetworks, strict=True):
        assert (row.width, row.depth) == (found.width, found.depth)
        assert row.parameters == found.parameters
        path = tmp_path / row.file
        assert row.megabytes == path.stat().st_size / 1e6
        assert row.latency_ms > 0
        plain = student.extract(row.width, row.depth)
        right = np.mean([a == b for a, b in zip(plain.classify(TEXTS[:8]), LABELS, strict=False)])
        assert row.accuracy == right
        runner = export.TFLiteClassifier(path)
        np.testing.assert_allclose(
            runner.predict_proba(TEXTS[:3]), plain.predict_proba(TEXTS[:3]), atol=1e-4
        )
    sizes = {(row.width, row.depth): row.megabytes for row in pareto.rows}
    assert sizes[0.25, 0.5] < sizes[0.25, 1.0] < sizes[1.0, 1.0]


def test_one_length_is_measured(student, tmp_path):
    with pytest.raises(tb.TinyBertError, match=r"sequence_length=\[8, 16\]"):
        export.measure_subnetworks(student, TEXTS, LABELS, tmp_path, sequence_length=[8, 16])
