"""`--task translation` and `summarization`: the whole path on pairs learned in seconds."""

import gzip
import json
import random

import pytest
from tiny_job import write_table

WORDS = dict(zip(["one", "two", "three", "four", "five", "six"], "一二三四五六", strict=True))
SMALL = ["--architecture", "bert_tiny_2l_128", "--decoder-blocks", "1", "--max-length", "12"]


def write_pairs(path, count, seed):
    """Who likes which number."""
    generator = random.Random(seed)
    rows = []
    for _ in range(count):
        who, chinese = generator.choice([("dogs", "狗"), ("cats", "猫")])
        word = generator.choice(list(WORDS))
        rows.append((f"{who} like {word}", f"{chinese}喜欢{WORDS[word]}"))
    return write_table(path, rows, header=("english", "chinese"))


def write_articles(path, count, seed):
    """What an article is about stands in its first sentence and in the others."""
    generator = random.Random(seed)
    articles = []
    for _ in range(count):
        word = generator.choice(list(WORDS))
        lead = f"The number {word} is a number."
        articles.append(f"{lead} {' '.join([f'People like {word} very much.'] * 5)}\n")
    with gzip.open(path, "wt", encoding="utf-8") as stream:
        stream.write("\n".join(articles))
    return path


@pytest.fixture
def run_cli(invoke):
    """Runs a command that must succeed; returns what it printed."""

    def run(*arguments):
        result = invoke(*arguments)
        assert result.exit_code == 0, result.output
        return result.stdout

    return run


@pytest.mark.slow
def test_translation_path(run_cli, fails, tmp_path):
    train, dev = write_pairs(tmp_path / "train.csv", 120, 0), tmp_path / "dev.csv"
    write_pairs(dev, 20, 1)
    teacher, student, file = (tmp_path / name for name in ("teacher", "student", "model.tflite"))
    shown = run_cli(
        "finetune", train, "--task", "translation", "--dev", dev, "--out", teacher, *SMALL,
        "--epochs", "15", "--batch-size", "8", "--learning-rate", "2e-3", "--keep-best",
    )  # fmt: skip
    assert "dev chrF" in shown and "dev BLEU" in shown
    found = json.loads((teacher / "metrics.json").read_text())
    assert found["dev"]["chrf"] > 90
    assert json.loads((teacher / "config.json").read_text())["arguments"]["decoder_blocks"] == 1
    run_cli(
        "distill", train, "--teacher", teacher, "--student", "bert_tiny_2l_128", "--dev", dev,
        "--epochs", "1,1", "--batch-size", "16", "--learning-rate", "1e-4", "--out", student,
    )  # fmt: skip
    found = json.loads((student / "metrics.json").read_text())
    assert found["dev"]["chrf"] > 85 and found["teacher_dev"]["chrf"] > 90
    assert "BLEU" in run_cli("evaluate", student, dev)
    assert json.loads((student / "evaluation" / "report.json").read_text())["bleu"] > 0
    answer = json.loads(run_cli("predict", student, "dogs like six", "--json"))
    assert answer == {"text": "dogs like six", "translation": "狗喜欢六"}
    assert run_cli("predict", student, "dogs like six") == "dogs like six\t狗喜欢六\n"
    run_cli("export", student, "--target", "float32", "--out", file)
    verified = run_cli("verify", file, dev, "--against", student, "--min-accuracy", "0.8")
    assert "same text as Keras" in verified and "100.00 %" in verified
    assert run_cli("predict", file, "dogs like six") == "dogs like six\t狗喜欢六\n"
    assert "translation" in run_cli("info", file)
    assert "dev chrf" in run_cli("info", teacher)
    line = fails("quantize", train, "--student", student, "--out", tmp_path / "int8")
    assert "without a decoder" in line
    texts = ["--texts", train, "--text-column", "english", "--out", tmp_path / "small"]
    assert "without a decoder" in fails("prune-vocabulary", student, *texts)
    line = fails("evaluate", student, dev, "--task", "summarization")
    assert "--task translation" in line


@pytest.mark.extended
@pytest.mark.slow
def test_summarization_path(run_cli, tmp_path):
    train = write_articles(tmp_path / "train.txt.gz", 60, 0)
    dev = write_articles(tmp_path / "dev.txt.gz", 12, 1)
    run = tmp_path / "run"
    shown = run_cli(
        "finetune", train, "--task", "summarization", "--dev", dev, "--out", run,
        "--architecture", "bert_tiny_2l_128", "--max-length", "48", "--vocabulary-size", "100",
        "--epochs", "12", "--batch-size", "8", "--learning-rate", "2e-3",
    )  # fmt: skip
    assert "dev ROUGE-L" in shown
    assert json.loads((run / "metrics.json").read_text())["dev"]["rougeL"] > 0.8
    assert "rouge1" in run_cli("evaluate", run, dev)
    answer = json.loads(run_cli("predict", run, "People like six very much.", "--json"))
    assert answer["summary"].startswith("The number")


@pytest.mark.extended
@pytest.mark.slow
def test_a_translator_on_a_trained_encoder(run_cli, tiny_hf_folder, tmp_path):
    train, run = write_pairs(tmp_path / "train.csv", 40, 0), tmp_path / "run"
    run_cli(
        "finetune", train, "--task", "translation", "--teacher", tiny_hf_folder, "--epochs", "1",
        "--decoder-blocks", "1", "--out", run,
    )  # fmt: skip
    config = json.loads((run / "model" / "task.json").read_text())["config"]
    assert config["decoder_layers"] == 1 and config["purpose"] == "translation"
    again = tmp_path / "again"
    run_cli(
        "finetune", train, "--task", "translation", "--teacher", run, "--epochs", "1",
        "--dev-share", "0", "--out", again,
    )  # fmt: skip
    first, second = (
        json.loads((folder / "metrics.json").read_text())["parameters"] for folder in (run, again)
    )
    assert first == second


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--decoder-blocks", "2"], "--task translation or summarization only"),
        (["--task", "translation", "--multi-label"], "--task classification only"),
        (["--task", "translation"], "Expected a target column"),
        (["--task", "translation", "--architecture", "huge"], "name='huge'"),
        (
            ["--task", "summarization", "--architecture", "bert_base", "--teacher", "x/y"],
            "or --teacher for a trained one",
        ),
    ],
)
def test_what_generation_refuses(arguments, message, fails, tables, tmp_path):
    assert message in fails("finetune", tables / "train.csv", "--out", tmp_path / "run", *arguments)


def test_an_encoder_alone_is_no_teacher(fails, tables, tiny_hf_folder, tmp_path):
    line = fails(
        "distill", tables / "train.csv", "--task", "translation", "--teacher", tiny_hf_folder,
        "--out", tmp_path / "run",
    )  # fmt: skip
    assert "has no decoder" in line
