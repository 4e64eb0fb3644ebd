"""`tinybert-tf report` on a run folder, with and without what it can use."""

import html
import json
import os
import re
import shutil
import subprocess

import numpy as np
import pytest
from report_runs import DEV, Page, unpacked, write_data, write_run

from tinybert_tf.report import attention_maps

TEXT = "the movies was really good"


def made(invoke, *arguments):
    result = invoke("report", *arguments)
    assert result.exit_code == 0, result.output
    return result


def test_a_run_alone(invoke, student_folder, tmp_path):
    out = tmp_path / "new" / "report.html"
    result = made(invoke, student_folder, "--out", out)
    assert "--data data/dev.csv" in result.stderr  # what the run itself was judged on
    page = Page(out.read_text("utf-8"))
    assert "--data dev.csv" in page.text("confusion")
    assert "--file model.tflite" in page.text("models")
    shown = page.text("models")
    assert "87.5 %" in shown and "93.8 %" in shown and "0.1 M" in shown
    assert "trained on 160 rows" in page.text("data")
    assert "attention loss, epoch 2: 2" in page.tips("curves")


@pytest.mark.slow
def test_with_data_teacher_and_text(
    invoke, student_folder, teacher_folder, dev_file, loud_classifier, tmp_path
):
    out = tmp_path / "report.html"
    more = ("--data", dev_file, "--teacher", teacher_folder, "--text", TEXT)
    made(invoke, student_folder, *more, "--out", out)
    page = Page(out.read_text("utf-8"))

    probabilities = loud_classifier.predict_proba([text for text, _ in DEV])
    answers = [loud_classifier.labels[k] for k in probabilities.argmax(axis=1)]
    right = sum(own == label for own, (_, label) in zip(answers, DEV, strict=True))
    assert f"{100 * right / len(DEV):.1f} %" in page.text("models")
    assert f"{len(DEV) - right} of {len(DEV)} answers are wrong" in page.text("errors")
    assert "8 rows in dev.csv" in page.text("data")
    cells = {tip.split(" of these")[0] for tip in page.tips("confusion")}
    pairs = [(label, own) for own, (_, label) in zip(answers, DEV, strict=True)]
    assert cells == {f"{a} → {b}: {pairs.count((a, b))}" for a, b in pairs}

    (sentence,) = page.attention()
    assert [(m["name"], m["layers"], m["heads"]) for m in sentence["models"]] == [
        ("teacher", 3, 4),
        ("student", 2, 2),
    ]
    own = attention_maps(loud_classifier, TEXT).probabilities
    np.testing.assert_allclose(unpacked(sentence["models"][1]), own, atol=1e-4)


def test_sentences_are_chosen_from_the_data(invoke, student_folder, dev_file, loud_classifier):
    made(invoke, student_folder, "--data", dev_file)
    page = Page((student_folder / "report.html").read_text("utf-8"))
    sentences = page.attention()
    known = dict(DEV)
    answers = loud_classifier.classify([one["text"] for one in sentences])
    for sentence, answer in zip(sentences, answers, strict=True):
        truth = known[sentence["text"]]
        note = f"right: {truth}" if answer == truth else f"truth: {truth}; predicted: {answer}"
        assert sentence["note"] == note
    assert 1 <= len(sentences) <= 5
    assert "The teacher's maps are not shown" in page.text("attention")


@pytest.mark.slow
def test_a_file_is_measured(invoke, student_folder, dev_file, loud_classifier, tmp_path):
    from tinybert_tf.export import to_tflite

    file = to_tflite(loud_classifier, tmp_path / "model.tflite", target="float32").path
    out = tmp_path / "report.html"
    made(invoke, student_folder, "--data", dev_file, "--file", file, "--out", out)
    page = Page(out.read_text("utf-8"))
    names = [e["text"] for e in page.all("strong", "models")]
    assert names == ["student", "teacher", "model.tflite"]
    values = [e["text"] for e in page.all("span", "models")]
    assert f"{file.stat().st_size / 1e6:.2f} MB" in values
    assert sum(value.endswith(" ms") for value in values) == 1
    # File and Keras model are scored on the same texts.
    scores = [value for value in values if value.endswith(" %")]
    assert scores.count(scores[1]) >= 2
    explained = invoke("explain", file, TEXT)
    assert explained.exit_code == 0, explained.output
    assert "influence by masking" in explained.stdout and "attention" not in explained.stdout
    of_keras = invoke("explain", student_folder, TEXT, "--by", "masking")
    assert explained.stdout == of_keras.stdout


@pytest.mark.slow
def test_a_demo_is_judged_on_its_own_sentences(invoke, build_tiny, tmp_path):
    from tinybert_tf.models import TinyBertTextClassifier
    from tinybert_tf.text.intents import load_intents

    test = load_intents(seed=0, per_intent=2).test
    tiny, labels = build_tiny(), sorted(set(test[1]))
    model = TinyBertTextClassifier(tiny.backbone, labels=labels, preprocessor=tiny.preprocessor)
    row = {"model": "student", "target": "float32", "trained": False, "parameters": 7000}
    row |= {"dev_accuracy": 0.5, "test_accuracy": 0.25, "size_mb": 1.5, "latency_ms": 2.5}
    run = write_run(tmp_path / "run", "demo", model, {"rows": [row], "dev": None, "seconds": 1})
    config = json.loads((run / "config.json").read_text())
    config["arguments"] |= {"per_intent": 2}
    (run / "config.json").write_text(json.dumps(config))
    made(invoke, run)
    page = Page((run / "report.html").read_text("utf-8"))
    assert f"{len(test[0])} rows in the embedded test sentences" in page.text("data")
    right = sum(a == b for a, b in zip(model.classify(test[0]), test[1], strict=True))
    values = [e["text"] for e in page.all("span", "models")]
    for value in (f"{100 * right / len(test[0]):.1f} %", "50.0 %", "25.0 %", "1.50 MB", "2.50 ms"):
        assert value in values


@pytest.mark.slow
def test_bad_input(refused, student_folder, dev_file, build_tiny, tmp_path):
    line = refused("report", tmp_path)
    assert "Expected a run folder" in line and str(tmp_path) in line
    assert "does not exist" in refused("report", tmp_path / "none")
    assert "none.csv" in refused("report", student_folder, "--data", "none.csv")
    other = write_data(tmp_path / "other.csv", [("a film", "lukewarm")])
    assert "'lukewarm'" in refused("report", student_folder, "--data", other)
    (tmp_path / "broken.tflite").write_bytes(b"not a model at all")
    assert "TFLite" in refused("report", student_folder, "--file", tmp_path / "broken.tflite")
    shutil.copytree(student_folder, tmp_path / "unfinished")
    (tmp_path / "unfinished/metrics.json").unlink()
    assert "Expected a finished run" in refused("report", tmp_path / "unfinished")
    tiny = build_tiny()
    from tinybert_tf.models import TinyBertTextClassifier

    stranger = TinyBertTextClassifier(
        tiny.backbone, labels=["x", "y"], preprocessor=tiny.preprocessor
    )
    stranger.save_to_preset(str(tmp_path / "stranger"))
    line = refused("report", student_folder, "--teacher", tmp_path / "stranger")
    assert "Expected a teacher of the run's task and labels" in line and "['x', 'y']" in line
    assert "a folder or a device" in refused("report", student_folder, "--out", tmp_path)


PROBE = """
<script>
const answer = document.createElement("pre");
answer.id = "probe";
document.body.appendChild(answer);
const map = document.querySelector("canvas.map"), found = [];
const place = map.getBoundingClientRect();
for (let x = place.left; x < place.right; x += 3) {
  const event = {clientX: x, clientY: place.bottom - 4, bubbles: true};
  map.dispatchEvent(new PointerEvent("pointermove", event));
  found.push(document.querySelector(".readout").textContent);
}
const thumbs = document.querySelectorAll(".blocks canvas").length;
answer.textContent = JSON.stringify({found: [...new Set(found)], thumbs});
</script>
"""


@pytest.mark.slow
def test_hovering_in_a_browser(invoke, student_folder, loud_classifier, tmp_path):
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        if os.environ.get("CI") == "true":
            pytest.fail("needed in CI: chromium (apt-get install chromium)")
        pytest.skip("no chromium on the PATH (apt-get install chromium)")
    out = tmp_path / "report.html"
    made(invoke, student_folder, "--text", TEXT, "--out", out)
    out.write_text(out.read_text("utf-8").replace("</body>", f"{PROBE}</body>"), "utf-8")
    options = ("--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path}/user")
    command = [chromium, *options, "--dump-dom", out.as_uri()]
    shown = subprocess.run(command, capture_output=True, text=True, timeout=120).stdout
    probe = json.loads(html.unescape(re.search('<pre id="probe">(.*?)</pre>', shown)[1]))
    assert probe["thumbs"] == loud_classifier.backbone.num_layers
    maps = attention_maps(loud_classifier, TEXT)
    last = maps.probabilities[-1].mean(axis=0)[-1]
    for token, value in zip(maps.tokens, last, strict=True):
        line = f"block 2, mean of heads: [SEP] → {token} {value:.3f}"
        near = [line[:-1] + digit for digit in "0123456789"]
        assert any(text in near for text in probe["found"]), (line, probe["found"])
