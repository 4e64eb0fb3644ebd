"""`tinybert-tf quantize` and `export` of what it leaves behind."""

import json

import pytest

from tinybert_tf.export import read_model_file

# Training and export of many small models.
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def quantized_run(invoke, tables, teacher_run, tmp_path_factory):
    """The teacher, trained on for target npu_int8."""
    folder = tmp_path_factory.mktemp("runs") / "quantized"
    data = (tables / "train.csv", "--dev", tables / "dev.csv", "--student", teacher_run)
    training = ("--epochs", "2", "--batch-size", "16", "--learning-rate", "1e-3")
    result = invoke("quantize", *data, "--target", "npu_int8", *training, "--out", folder)
    assert result.exit_code == 0, result.output
    assert "float student's dev accuracy" in result.stdout
    assert "best epoch" in result.stdout
    return folder


def test_run_describes_itself(quantized_run, invoke):
    metrics = json.loads((quantized_run / "metrics.json").read_text())
    assert metrics["dev"]["accuracy"] > 0.9 and metrics["float_dev"]["accuracy"] > 0.9
    assert len(metrics["history"]["prediction"]["val_loss"]) == 2
    assert metrics["history"]["prediction"]["best_epoch"] in (0, 1, 2)
    assert (quantized_run / "tb" / "quantize").is_dir()
    shown = invoke("info", quantized_run)
    assert shown.exit_code == 0 and "quantize" in shown.stdout


def test_export_takes_the_target_from_the_run(quantized_run, invoke, tmp_path, tables):
    path = tmp_path / "m.tflite"
    result = invoke("export", quantized_run, "--out", path)
    assert result.exit_code == 0, result.output
    assert "npu_int8" in result.stdout and "as trained" in result.stdout
    assert read_model_file(path).quantization == "static_int8"
    result = invoke("verify", path, tables / "dev.csv", "--against", quantized_run)
    assert result.exit_code == 0, result.output


def test_export_of_another_target_is_refused(quantized_run, fails, tmp_path):
    path = tmp_path / "m.tflite"
    said = fails("export", quantized_run, "--target", "universal", "--out", path)
    assert "dynamic_int8" in said and "static_int8" in said
    assert not path.exists()


def test_export_quantizes_an_untrained_run(teacher_run, invoke, tables, tmp_path):
    path = tmp_path / "m.tflite"
    texts = ("--texts", tables / "train.csv")
    result = invoke("export", teacher_run, "--target", "npu_int8", *texts, "--out", path)
    assert result.exit_code == 0, result.output
    assert "tinybert-tf quantize --target npu_int8" in result.stderr + result.stdout


def test_export_without_calibration_texts(teacher_run, fails, tmp_path):
    path = tmp_path / "m.tflite"
    assert "--texts" in fails("export", teacher_run, "--target", "npu_int8", "--out", path)


def test_export_of_several_lengths(teacher_run, invoke, tmp_path):
    path = tmp_path / "m.tflite"
    result = invoke("export", teacher_run, "--max-length", "8,16,24", "--out", path)
    assert result.exit_code == 0, result.output
    keys = [entry.signatureKey.decode() for entry in read_model_file(path).model.signatureDefs]
    assert keys == ["tokens_8", "tokens_16", "tokens_24"]


def test_bad_lengths(teacher_run, fails, tmp_path):
    path = tmp_path / "m.tflite"
    assert "'8;16'" in fails("export", teacher_run, "--max-length", "8;16", "--out", path)
    assert "from 3 to" in fails("export", teacher_run, "--max-length", "1,8", "--out", path)
    assert not path.exists()


def test_small_cuts_the_vocabulary_of_student_and_teacher(invoke, tables, teacher_run, tmp_path):
    data = (tables / "train.csv", "--dev", tables / "dev.csv", "--student", teacher_run)
    target = ("--teacher", teacher_run, "--target", "small", "--epochs", "1")
    result = invoke("quantize", *data, *target, "--out", tmp_path / "run")
    assert result.exit_code == 0, result.output
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert metrics["coverage"]["size_after"] <= metrics["coverage"]["size_before"]
    assert invoke("export", tmp_path / "run", "--out", tmp_path / "m.tflite").exit_code == 0


def test_quantizing_twice(quantized_run, fails, tables, tmp_path):
    said = fails(
        "quantize", tables / "train.csv", "--student", quantized_run, "--out", tmp_path / "run"
    )
    assert "not quantization-aware yet" in said
