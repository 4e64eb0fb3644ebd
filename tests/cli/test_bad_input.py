"""Whatever is wrong with data, checkpoints or folders: one line, status 2, nothing half-written."""

import os
import pickle
import shutil
import subprocess
import sys
import zipfile

import pytest
from tiny_job import TRAINING, make_rows, write_table


# === Data ===
@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "empty"),
        (b"text,label\n", "At least one row"),
        (b"words,mark\na,b\n", "words"),
        (b"text,label\ngood film,1\nbad film,1\n", "2 distinct label"),
        (b"text,label\ngood,1\nbad \xff\xfe,0\n", "train.csv:3: byte 5"),
        (b"text,label\ngood,1,2\n", "train.csv:2"),
    ],
    ids=["empty", "header only", "missing column", "single class", "not UTF-8", "ragged"],
)
def test_bad_tables(fails, tmp_path, content, said):
    path = tmp_path / "train.csv"
    path.write_bytes(content)
    line = fails("finetune", path, "--teacher", "nowhere", "--out", tmp_path / "run")
    assert said in line
    assert "train.csv" in line
    assert not (tmp_path / "run").exists()


def test_missing_table_and_column_by_name(fails, tables, tmp_path):
    out = ("--out", tmp_path / "run")
    assert "missing.csv" in fails("finetune", tmp_path / "missing.csv", *out)
    line = fails("finetune", tables / "train.csv", "--label-column", "queue", *out)
    assert "'queue'" in line
    assert "text, label" in line.replace("'", "")


def test_unknown_label_in_dev(fails, tables, teacher_run, exported, tmp_path):
    dev = write_table(tmp_path / "dev.csv", [("the film was fine", "neutral")])
    data = (tables / "train.csv", "--dev", dev)
    for line in (
        fails("finetune", *data, "--out", tmp_path / "run"),
        fails("distill", *data, "--teacher", teacher_run, "--out", tmp_path / "run"),
        fails("evaluate", teacher_run, dev),
        fails("verify", exported, dev),
    ):
        assert "'neutral'" in line
        assert "dev.csv:2" in line
        assert "negative" in line


def test_unknown_label_in_the_distillation_data(fails, teacher_run, tmp_path):
    rows = [*make_rows(20, seed=3), ("the film was fine", "neutral")]
    train = write_table(tmp_path / "train.csv", rows)
    line = fails("distill", train, "--teacher", teacher_run, "--out", tmp_path / "run")
    assert "'neutral' at" in line
    assert "train.csv:22" in line


def test_a_text_of_100_000_characters_is_cut_and_classified(invoke, teacher_run, exported):
    text = "the film was great " * 5300
    for model in (teacher_run, exported):
        result = invoke("predict", model, text, "x" * 100_000, "")
        assert result.exit_code == 0, result.output
        assert len(result.stdout.splitlines()) == 3


# === Models ===
def test_a_length_above_the_position_table(fails, tables, tiny_hf_folder, teacher_run, tmp_path):
    source = ("--teacher", tiny_hf_folder, "--out", tmp_path / "run", "--max-length", "65")
    assert "at most 64" in fails("finetune", tables / "train.csv", *source)
    out = ("--out", tmp_path / "model.tflite", "--max-length", "65")
    assert "64" in fails("export", teacher_run, *out)
    assert not (tmp_path / "model.tflite").exists()


def test_a_vocabulary_unlike_the_teachers(fails, tables, teacher_run, tiny_vocabulary, tmp_path):
    from tinybert_tf.checkpoints import save_hf
    from tinybert_tf.models import TinyBertBackbone
    from tinybert_tf.text.wordpiece import WordPiece

    other = [*tiny_vocabulary[:-2], tiny_vocabulary[-1], tiny_vocabulary[-2]]
    backbone = TinyBertBackbone(
        vocabulary_size=len(other), num_layers=1, num_heads=2, hidden_dim=8, intermediate_dim=8
    )
    student = save_hf(backbone, tmp_path / "student", WordPiece(other))
    pair = ("--teacher", teacher_run, "--student", student)
    line = fails("distill", tables / "train.csv", *pair, "--out", tmp_path / "run")
    assert "share one tokenizer" in line
    assert f"{other[-2]!r} in the student" in line


def test_a_student_wider_than_its_teacher(fails, tables, teacher_run, tmp_path):
    pair = ("--teacher", teacher_run, "--student", "bert_tiny_2l_128")
    line = fails("distill", tables / "train.csv", *pair, "--out", tmp_path / "run")
    assert "at most as wide as its teacher" in line
    assert "tinybert_4l_312" in fails(
        "distill", tables / "train.csv", *pair[:3], "bert_huge", "--out", tmp_path / "run"
    )


def test_a_truncated_checkpoint(fails, tables, tiny_hf_folder, tmp_path):
    broken = tmp_path / "broken"
    shutil.copytree(tiny_hf_folder, broken)
    weights = broken / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    source = ("--teacher", broken, "--out", tmp_path / "run")
    assert "model.safetensors" in fails("finetune", tables / "train.csv", *source)


def test_a_checkpoint_that_would_run_code(fails, tables, tiny_hf_folder, tmp_path):
    class Malicious:
        def __reduce__(self):
            return os.system, (f"touch {tmp_path / 'hacked'}",)

    broken = tmp_path / "broken"
    shutil.copytree(tiny_hf_folder, broken)
    (broken / "model.safetensors").unlink()
    with zipfile.ZipFile(broken / "pytorch_model.bin", "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps({"x": Malicious()}, protocol=2))
        archive.writestr("archive/version", "3\n")
    source = ("--teacher", broken, "--out", tmp_path / "run")
    line = fails("finetune", tables / "train.csv", *source)
    assert "system" in line
    assert "pytorch_model.bin" in line
    assert not (tmp_path / "hacked").exists()


@pytest.mark.parametrize("command", ["evaluate", "export", "predict", "info"])
def test_a_model_that_is_none(fails, tables, tmp_path, command):
    rest = {
        "evaluate": (tables / "dev.csv",),
        "export": ("--out", tmp_path / "x.tflite"),
        "predict": ("text",),
        "info": (),
    }[command]
    assert str(tmp_path / "nothing") in fails(command, tmp_path / "nothing", *rest)


def test_a_file_that_is_no_tflite_file(fails, tables, exported, tmp_path):
    path = tmp_path / "model.tflite"
    path.write_bytes(b"not a model")
    assert "model.tflite" in fails("verify", path, tables / "dev.csv")
    path.write_bytes(exported.read_bytes()[:1000])
    assert "model.tflite" in fails("predict", path, "text")
    assert "model.tflite" in fails("export", path, "--out", tmp_path / "other.tflite")


# === Output ===
def test_an_output_folder_that_cannot_be_written(fails, tables, tiny_hf_folder, teacher_run):
    train = tables / "train.csv"
    line = fails("finetune", train, "--teacher", tiny_hf_folder, "--out", train / "run")
    assert str(train) in line
    line = fails("export", teacher_run, "--out", train / "model.tflite")
    assert str(train) in line
    assert "model.tflite" in fails("export", teacher_run, "--out", "model.tflite/model.bin")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write all")
def test_a_folder_without_permission(fails, tables, tiny_hf_folder, tmp_path):
    tmp_path.chmod(0o500)
    source = ("--teacher", tiny_hf_folder, "--out", tmp_path / "run")
    assert "Permission denied" in fails("finetune", tables / "train.csv", *source)
    tmp_path.chmod(0o700)


def limited(megabytes: float) -> str:
    """Python source that runs the command line with a limit on the size of every file."""
    return (
        "import resource;"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({int(megabytes * 1e6)},) * 2);"
        "from tinybert_tf.cli import main; main()"
    )


@pytest.mark.slow
def test_a_full_disk_during_training(tables, tiny_hf_folder, tmp_path):
    """The checkpoint of the first epoch does not fit: what was there before stays whole."""
    pytest.importorskip("resource", reason="limits of file sizes are POSIX")
    source = ["--teacher", str(tiny_hf_folder), "--out", str(tmp_path / "run")]
    result = subprocess.run(
        [sys.executable, "-c", limited(0.05), "finetune", str(tables / "train.csv")]
        + [*source, *TRAINING],
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert result.returncode == 2, result.stderr
    assert "error: the disk is full" in result.stderr
    assert "Traceback" not in result.stderr
    assert "I0000" not in result.stderr
    left = {path.name for path in (tmp_path / "run").rglob("*") if path.is_file()}
    assert {name for name in left if "events" not in name} == {"config.json", "log.txt"}
    assert "failed" in (tmp_path / "run/log.txt").read_text()


def test_a_full_disk_during_export(fails, teacher_run, tmp_path):
    """A real one: a file system of 16 kB."""
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", str(tmp_path)], capture_output=True
    )
    if mounted.returncode:
        pytest.skip("mounting a small file system needs the right to do so")
    try:
        line = fails("export", teacher_run, "--out", tmp_path / "model.tflite")
        left = list(tmp_path.iterdir())
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)
    assert line.startswith("error: the disk is full")
    assert left == []
