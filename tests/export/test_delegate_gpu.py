"""The table against LiteRT's real GPU accelerator, on a software Vulkan device."""

import pytest
from flat_models import merged, write
from gpu_device import skip_without_gpu
from operator_cases import CASES

from tinybert_tf.export.accelerator_process import run_accelerator
from tinybert_tf.export.delegates import check

# Its result has no size before it runs, for which TFLite gives no operator of the graph to a GPU.
DYNAMIC = "MEAN computed axis"


@pytest.fixture(scope="module")
def sides(tmp_path_factory):
    """The names of the cases that the table lets the accelerator take, and of the others."""
    path = tmp_path_factory.mktemp("sides") / "one.tflite"
    accepted, refused = [], []
    for name, model in CASES.items():
        (finding,) = check(write(model, path)).operators
        (accepted if finding.verdicts["gpu_litert"].accepted else refused).append(name)
    return accepted, refused


def accelerate(names, path):
    model = merged([CASES[name] for name in names if name != DYNAMIC])
    with skip_without_gpu():
        return run_accelerator(write(model, path), {}, {}, False, 300)


def test_the_accelerator_takes_all_that_the_table_accepts(sides, tmp_path):
    accepted, _ = sides
    assert len(accepted) > 40
    found = accelerate(accepted, tmp_path / "accepted.tflite")
    assert found.refused == ()
    assert found.fully_accelerated


def test_the_accelerator_refuses_what_the_table_refuses(sides, tmp_path):
    _, refused = sides
    assert len(refused) > 5
    path = tmp_path / "refused.tflite"
    found = accelerate(refused, path)
    expected = {finding.operator for finding in check(path).operators}
    assert {text.split(":")[0] for text in found.refused} == expected
