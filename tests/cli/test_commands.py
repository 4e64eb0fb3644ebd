"""distill, evaluate, export, verify, predict and info on a teacher that was trained here."""

import json

import pytest
from tiny_job import write_table


@pytest.fixture(scope="module")
def student_run(invoke, tables, teacher_run, tmp_path_factory):
    """A student of the teacher's own shape, from noise, in both stages."""
    folder = tmp_path_factory.mktemp("runs") / "student"
    data = (tables / "train.csv", "--dev", tables / "dev.csv")
    pair = ("--teacher", teacher_run, "--student", teacher_run, "--epochs", "2,1")
    rates = ("--learning-rate", "5e-3,1e-3", "--batch-size", "16", "--layer-map", "0,1")
    result = invoke("distill", *data, *pair, *rates, "--out", folder)
    assert result.exit_code == 0, result.output
    return folder


def test_distill_leaves_both_stages_behind(student_run):
    metrics = json.loads((student_run / "metrics.json").read_text())
    assert list(metrics["history"]) == ["intermediate", "prediction"]
    assert len(metrics["history"]["intermediate"]["attention_loss"]) == 2
    assert len(metrics["history"]["prediction"]["val_prediction_loss"]) == 1
    assert metrics["teacher_dev"]["accuracy"] > 0.9
    assert metrics["labels"] == ["negative", "positive"]
    config = json.loads((student_run / "config.json").read_text())
    assert config["arguments"]["epochs"] == {"intermediate": 2, "prediction": 1}
    assert config["arguments"]["layer_map"] == [0, 1]
    assert {path.name for path in (student_run / "tb").iterdir()} == {"intermediate", "prediction"}


def test_distill_one_stage_without_labels_into_a_named_shape(invoke, tables, teacher_run, tmp_path):
    texts = [line.rsplit(",", 1)[0] for line in (tables / "train.csv").read_text().splitlines()]
    (tmp_path / "texts.csv").write_text("\n".join(texts[:33]) + "\n")
    shape = ("--student", "bert_tiny_2l_128", "--init", "random")
    stage = ("--stages", "prediction", "--epochs", "1", "--out", tmp_path / "run")
    result = invoke("distill", tmp_path / "texts.csv", "--teacher", teacher_run, *shape, *stage)
    assert result.exit_code == 0, result.output
    metrics = json.loads((tmp_path / "run/metrics.json").read_text())
    assert list(metrics["history"]) == ["prediction"]
    assert metrics["dev"] is None


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("--epochs", "4,3,2", "one for each of intermediate, prediction"),
        ("--epochs", "many", "numbers separated by commas"),
        ("--epochs", "0", "positive"),
        ("--stages", "final", "intermediate, prediction"),
        ("--layer-map", "0,1,x", "numbers"),
        ("--layer-map", "sideways", "uniform"),
    ],
)
def test_distill_checks_its_lists(fails, tables, teacher_run, tmp_path, option, value, said):
    pair = ("--teacher", teacher_run, "--student", teacher_run, "--out", tmp_path / "run")
    assert said in fails("distill", tables / "train.csv", *pair, option, value)


def test_a_teacher_at_chance_is_refused(fails, tables, tiny_classifier, tmp_path):
    tiny_classifier.output_dense.set_weights(
        [0 * w for w in tiny_classifier.output_dense.get_weights()]
    )
    tiny_classifier.save_to_preset(str(tmp_path / "preset"))
    pair = ("--teacher", tmp_path / "preset", "--student", tmp_path / "preset")
    data = (tables / "train.csv", "--dev", tables / "dev.csv")
    line = fails("distill", *data, *pair, "--out", tmp_path / "run")
    assert "better than chance" in line


def test_evaluate_prints_and_writes_the_report(invoke, tables, teacher_run, exported, tmp_path):
    reports = {}
    for model in (teacher_run, exported):
        out = tmp_path / model.name
        result = invoke("evaluate", model, tables / "dev.csv", "--plots", "--out", out)
        assert result.exit_code == 0, result.output
        assert "macro F1" in result.stdout
        assert {path.name for path in out.iterdir()} == {
            "report.json",
            "confusion.png",
            "reliability.png",
        }
        reports[model] = json.loads((out / "report.json").read_text())
    metrics = json.loads((teacher_run / "metrics.json").read_text())
    assert reports[teacher_run]["accuracy"] == metrics["dev"]["accuracy"]
    assert reports[exported]["confusion"] == reports[teacher_run]["confusion"]


def test_plots_of_a_file_need_a_folder(fails, tables, exported):
    assert "--out FOLDER" in fails("evaluate", exported, tables / "dev.csv", "--plots")


def test_verify_compares_with_keras(invoke, fails, tables, teacher_run, student_run, exported):
    result = invoke("verify", exported, tables / "dev.csv", "--against", teacher_run)
    assert result.exit_code == 0, result.output
    for name in ("accuracy", "largest probability difference", "latency", "float32"):
        assert name in result.stdout
    data = (exported, tables / "dev.csv")
    assert "may come from other weights" in fails("verify", *data, "--against", student_run)


def test_verify_fails_below_an_accuracy(fails, exported, tmp_path):
    data = write_table(tmp_path / "dev.csv", [("the film was great", "negative")])
    line = fails("verify", exported, data, "--min-accuracy", "0.9")
    assert "at least 0.9" in line
    assert "0.0000" in line


def test_export_writes_the_format_and_length_asked_for(invoke, student_run, tmp_path):
    path = tmp_path / "deep" / "model.tflite"
    result = invoke("export", student_run, "--max-length", "16", "--out", path)
    assert result.exit_code == 0, result.output
    shown = invoke("info", path).stdout
    assert "dynamic_int8" in shown
    assert "16 tokens" in shown
    assert "negative, positive" in shown


def test_predict_in_every_shape(invoke, teacher_run, exported, tmp_path):
    texts = ["the film was great", "the film was awful"]
    plain = invoke("predict", teacher_run, *texts).stdout.splitlines()
    assert [line.split("\t")[0] for line in plain] == ["positive", "negative"]
    assert [line.split("\t")[2] for line in plain] == texts
    (tmp_path / "texts.txt").write_text("\n".join(texts) + "\n\n")
    (tmp_path / "texts.csv").write_text("text\n" + "\n".join(texts) + "\n")
    for source in (("--file", tmp_path / "texts.txt"), ("--file", tmp_path / "texts.csv")):
        assert invoke("predict", teacher_run, *source).stdout.splitlines() == plain
    piped = invoke("predict", teacher_run, "--file", "-", input="\n".join(texts))
    assert piped.stdout.splitlines() == plain
    lines = invoke("predict", exported, *texts, "--json", "--top", "5").stdout.splitlines()
    objects = [json.loads(line) for line in lines]
    assert [row["text"] for row in objects] == texts
    assert [row["labels"][0]["label"] for row in objects] == ["positive", "negative"]
    assert sum(label["probability"] for label in objects[0]["labels"]) == pytest.approx(1, abs=1e-4)


def test_predict_needs_texts(fails, teacher_run):
    assert "Expected texts" in fails("predict", teacher_run)


def test_info_lists_architectures_with_the_published_sizes(invoke):
    from tinybert_tf.cli.info import parameters
    from tinybert_tf.config import architecture

    shown = invoke("info").stdout
    assert "tinybert_4l_312" in shown
    assert parameters(**architecture("tinybert_4l_312")) == 14_350_248
    assert parameters(**architecture("bert_base")) == 109_482_240


def test_info_describes_runs_and_presets(invoke, teacher_run):
    run = invoke("info", teacher_run).stdout
    assert "160 for training, 40 for dev" in run
    assert "finished in" in run
    preset = invoke("info", teacher_run / "model").stdout
    assert "negative, positive" in preset


def test_debug_shows_the_traceback(invoke, tmp_path):
    result = invoke("info", tmp_path, "--debug")
    assert result.exit_code == 2
    assert "Traceback" in result.stderr
    assert "error: " in result.stderr


@pytest.mark.slow
def test_predict_reads_pairs_under_their_own_headers(invoke, teacher_run, tmp_path):
    path = tmp_path / "pairs.csv"
    path.write_text("q,d\nthe film,the plot\n", "utf-8")
    columns = ["--text-column", "q", "--pair-column", "d"]
    found = invoke("predict", teacher_run, "--file", path, *columns)
    single = invoke("predict", teacher_run, "the film", "--pair", "the plot")
    alone = invoke("predict", teacher_run, "the film")
    assert found.exit_code == 0 and found.stdout == single.stdout != alone.stdout
