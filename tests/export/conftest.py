"""One tiny classifier and its files, exported once for all tests here."""

import pytest
from export_models import build_classifier

from tinybert_tf.export import to_tflite


@pytest.fixture(scope="session")
def classifier():
    return build_classifier()


@pytest.fixture(scope="session")
def float_file(classifier, tmp_path_factory):
    """The classifier as a float32 file with metadata."""
    return to_tflite(
        classifier, tmp_path_factory.mktemp("export") / "model.tflite", target="float32"
    ).path


@pytest.fixture(scope="session")
def int8_file(classifier, tmp_path_factory):
    """The classifier as a dynamic-range int8 file with metadata."""
    path = tmp_path_factory.mktemp("export") / "int8.tflite"
    return to_tflite(classifier, path, target="universal").path
