"""`tinybert-tf bundle` and `tinybert-tf verify BUNDLE`."""

import json

import pytest

from tinybert_tf import export


@pytest.fixture(scope="module")
def bundled(invoke, teacher_run, tables, tmp_path_factory):
    """The bundle of a run, and what the command printed. Read only."""
    folder = tmp_path_factory.mktemp("bundled") / "bundle"
    given = ["--data", tables / "dev.csv", "--name", "Tiny", "--license", "MIT"]
    target = ["--target", "float32", "--attention"]
    result = invoke("bundle", teacher_run, *target, *given, "--out", folder)
    assert result.exit_code == 0, result.output
    return folder, result.output


def test_a_run_becomes_a_bundle(bundled):
    folder, printed = bundled
    manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
    assert manifest["name"] == "Tiny" and manifest["licenses"]["model"] == "MIT"
    assert manifest["measured"]["examples"] == 40
    assert manifest["origin"]["command"] == "finetune"
    assert manifest["model"]["attention_heads"] > 0
    assert f"{100 * manifest['measured']['score']:.2f} %" in printed
    assert "golden vectors" in printed and "next: tinybert-tf verify" in printed.replace("\n", " ")


def test_verify_replays_it(invoke, bundled, tables):
    folder, _ = bundled
    result = invoke("verify", folder)
    assert result.exit_code == 0, result.output
    assert "checksums right" in result.output and "replayed" in result.output
    scored = invoke("verify", folder, tables / "dev.csv")
    assert scored.exit_code == 0 and "accuracy" in scored.output


def test_a_file_is_bundled_as_it_is(invoke, fails, exported, tmp_path):
    result = invoke("bundle", exported, "--out", tmp_path / "b")
    assert result.exit_code == 0, result.output
    assert (tmp_path / "b" / "model.tflite").read_bytes() == exported.read_bytes()
    line = fails("bundle", exported, "--target", "small", "--out", tmp_path / "c")
    assert "run folder for --target" in line and not (tmp_path / "c").exists()


def test_a_threshold_for_texts_of_no_class(invoke, fails, teacher_run, tables, tmp_path):
    other = tmp_path / "other.csv"
    other.write_text("text\nthe the the\nxyz zyx\nqqq\n", "utf-8")
    given = ["--data", tables / "dev.csv", "--out-of-scope", other, "--out", tmp_path / "b"]
    result = invoke("bundle", teacher_run, "--target", "float32", *given)
    assert result.exit_code == 0, result.output
    manifest = json.loads((tmp_path / "b" / "manifest.json").read_text("utf-8"))
    found = manifest["out_of_scope"]
    assert found["score"] == "entropy" and f"entropy > {found['threshold']:.4g}" in result.output
    runner = export.open_file(tmp_path / "b" / "model.tflite")
    assert runner.out_of_scope.threshold == found["threshold"]
    line = fails("bundle", teacher_run, "--out-of-scope", other, "--out", tmp_path / "c")
    assert "Expected --data with --out-of-scope" in line


def test_errors(fails, bundled, exported, tmp_path):
    folder, _ = bundled
    assert "--overwrite" in fails("bundle", exported, "--out", folder)
    assert "a folder with manifest.json" in fails("verify", tmp_path)
    assert "labelled texts after the file" in fails("verify", exported)
    for path in folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "labels.txt").write_text("other\n", "utf-8")
    assert "Expected 'labels.txt' as it was bundled" in fails("verify", tmp_path)


@pytest.mark.slow
def test_columns_are_those_of_every_table(invoke, teacher_run, tables, tmp_path):
    """Calibration texts, texts of no class and data under the user's own headers."""
    for name in ("dev", "other"):
        lines = (tables / "dev.csv").read_text("utf-8").splitlines()
        rows = ["Kommentar;Klasse", *(";".join(line.rsplit(",", 1)) for line in lines[1:])]
        (tmp_path / f"{name}.csv").write_text("\n".join(rows) + "\n", "utf-8")
    dev, column = tmp_path / "dev.csv", ["--text-column", "Kommentar"]
    given = ["--data", dev, "--texts", dev, "--out-of-scope", tmp_path / "other.csv", *column]
    options = ["--target", "npu_int8", "--label-column", "Klasse", "--out", tmp_path / "b"]
    result = invoke("bundle", teacher_run, *given, *options)
    assert result.exit_code == 0, result.output
    file = tmp_path / "m.tflite"
    options = ["--target", "npu_int8", "--texts", dev, *column, "--out", file]
    result = invoke("export", teacher_run, *options)
    assert result.exit_code == 0, result.output
