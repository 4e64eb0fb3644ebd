"""The page in a real browser: its answers are those of Python, and it survives what people do."""

import threading

import numpy as np
import pytest
from web_sites import COMMITTED, build_site, golden, serve

from tinybert_tf.export import TFLiteClassifier

pytestmark = pytest.mark.slow  # a browser

LABELS = ["negative", "positive"]
# How long the page may leave a person without an answer to a key, in ms.
RESPONSIVE_MS = 1000


def open_page(page, address, site):
    page.goto(f"{address}/{site}/index.html")
    page.wait_for_selector("#ask:not([hidden])")
    return page


def ask(page, text):
    """Types a text; returns the probabilities by label."""
    before = page.locator("#answer").get_attribute("data-id")
    page.fill("#text", text)
    page.wait_for_selector(f"#answer:not([hidden]):not([data-id='{before}'])")
    return probabilities(page)


def probabilities(page):
    rows = page.locator("#bars li")
    found = {
        rows.nth(place).locator(".name").inner_text(): float(
            rows.nth(place).get_attribute("data-probability")
        )
        for place in range(rows.count())
    }
    return [found[label] for label in LABELS]


def shares(page):
    """Words or pieces, and how strongly each is shaded."""
    page.wait_for_selector("#words:not(.waiting) .piece")
    pieces = page.locator("#words .piece")
    names = [text.splitlines()[0] for text in pieces.all_inner_texts()]
    return names, [float(piece.get_attribute("data-share")) for piece in pieces.all()]


@pytest.mark.parametrize("site, tolerance", [("float32", 1e-5), ("universal", 1e-3)])
def test_golden_vectors(site, tolerance, web_bundles, web_sites, new_page):
    page = new_page()
    requests = []
    page.context.on("request", lambda request: requests.append(request.url))
    open_page(page, web_sites[1], site)
    rows = golden(web_bundles[site])
    answers = [row["probabilities"] for row in rows]
    assert np.ptp([answer[0] for answer in answers]) > 0.1  # texts that get different answers
    compared = 0
    for row in rows:
        if row["text"].strip():
            assert ask(page, row["text"]) == pytest.approx(row["probabilities"], abs=tolerance)
            compared += 1
    assert compared >= 18
    assert page.locator("#failure").is_hidden()
    assert float(page.locator("#milliseconds").inner_text()) > 0
    page.click("#model summary")
    page.click("#check")
    page.wait_for_selector("#checked:has-text('differ')")
    said = page.locator("#checked").inner_text()
    assert f"All {len(rows)} texts are cut into the same word pieces" in said
    assert float(said.split()[-1].rstrip(".")) < tolerance
    assert any(url.endswith("litert_wasm_internal.wasm") for url in requests)
    assert {url.split("/")[2] for url in requests if not url.startswith("data:")} == {
        web_sites[1].removeprefix("http://")
    }


def test_golden_vectors_of_the_committed_bundle(tmp_path, new_page):
    """The app's folder answers in a browser as it does in Python, text by text."""
    rows = golden(COMMITTED)
    build_site(COMMITTED, tmp_path / "site")
    with serve(tmp_path) as address:
        page = open_page(new_page(), address, "site")
        page.click("#model summary")
        page.click("#check")
        page.wait_for_selector("#checked:has-text('differ')")
        said = page.locator("#checked").inner_text()
    assert len(rows) >= 40
    assert f"All {len(rows)} texts are cut into the same word pieces" in said
    assert float(said.split()[-1].rstrip(".")) < 1e-4


def test_influence_is_measured(web_bundles, web_sites, new_page):
    page = open_page(new_page(), web_sites[1], "universal")
    text = "a lovely film"
    answer = ask(page, text)
    names, own = shares(page)
    assert names == text.split()
    assert "[MASK]" in page.locator("#words-detail").inner_text()
    file = TFLiteClassifier(web_bundles["universal"] / "model.tflite")
    (ids,) = file.tokenizer.encode([text]).token_ids
    best = int(np.argmax(answer))
    losses = []
    for place in range(1, len(ids) - 1):
        hidden = ids.copy()
        hidden[place] = file.tokenizer.mask_id
        losses.append(file.run(ids)[best] - file.run(hidden)[best])
    scale = max(np.abs(losses).max(), 0.01)
    assert np.abs(losses).max() > 0.005
    assert np.abs(own - np.array(losses) / scale).max() < 2e-3 / scale


def test_attention_of_a_file_that_puts_it_out(web_bundles, web_sites, new_page):
    from ai_edge_litert.interpreter import Interpreter

    page = open_page(new_page(), web_sites[1], "attention")
    text = "truly a lovely film"
    ask(page, text)
    names, own = shares(page)
    pieces = TFLiteClassifier(web_bundles["universal"] / "model.tflite").tokenizer.tokenize(text)
    assert names == ["[CLS]", *pieces, "[SEP]"]
    interpreter = Interpreter(str(web_bundles["attention"] / "model.tflite"))
    runner = interpreter.get_signature_runner()
    (ids,) = TFLiteClassifier(web_bundles["universal"] / "model.tflite").encode([text]).token_ids
    rows = {name: np.zeros((1, 32), "int32") for name in ("ids", "mask", "segment_ids")}
    rows["ids"][0, : len(ids)], rows["mask"][0, : len(ids)] = ids, 1
    heads = runner(**rows)["attention"].reshape(2, 32)[:, : len(ids)]
    mean = heads.mean(axis=0)
    assert np.abs(own - mean / mean.max()).max() < 5e-3
    page.select_option("#head", "1")
    assert np.abs(shares(page)[1] - heads[1] / heads[1].max()).max() < 5e-3
    assert np.abs(heads[1] / heads[1].max() - mean / mean.max()).max() > 0.02


def test_loading_shows_progress(web_bundles, web_sites, new_page):
    size = (web_bundles["universal"] / "model.tflite").stat().st_size
    gate, page = threading.Event(), new_page()
    with serve(web_sites[0], gate) as address:
        page.goto(f"{address}/universal/index.html")
        page.wait_for_selector("#loading-bar[value]")
        assert page.get_by_role("progressbar").get_attribute("value") == str(size // 2)
        assert page.get_by_role("progressbar").get_attribute("max") == str(size)
        assert page.locator("#loading-text").inner_text().startswith("Loading the model: ")
        assert page.locator("#ask").is_hidden()
        gate.set()
        page.wait_for_selector("#ask:not([hidden])")
    assert page.locator("#loading").is_hidden()


@pytest.mark.parametrize("text", ["good film " * 100_000, "x" * 1_000_000], ids=["words", "word"])
@pytest.mark.parametrize("way", ["typed", "pasted"])
def test_a_megabyte_of_text(text, way, web_bundles, web_sites, new_page):
    page = open_page(new_page(bypass_csp=True), web_sites[1], "universal")
    page.evaluate("""() => {
        window.longest = 0;
        let last = performance.now();
        setInterval(() => {
            window.longest = Math.max(window.longest, performance.now() - last);
            last = performance.now();
        }, 10);
    }""")
    page.evaluate(
        """([text, way]) => {
            const box = document.getElementById("text");
            const clipboardData = new DataTransfer();
            clipboardData.setData("text/plain", text);
            const options = { clipboardData, bubbles: true, cancelable: true };
            if (way === "pasted") box.dispatchEvent(new ClipboardEvent("paste", options));
            else { box.value = text; box.dispatchEvent(new InputEvent("input")); }
        }""",
        [text, way],
    )
    page.wait_for_selector("#answer:not([hidden])")
    assert shares(page)[0]
    expected = TFLiteClassifier(web_bundles["universal"] / "model.tflite").predict_proba([text])
    assert probabilities(page) == pytest.approx(expected[0], abs=1e-3)
    assert len(page.input_value("#text")) == 5000
    assert "1,000,000 characters" in page.locator("#note").inner_text()
    assert ("first 30 word pieces" in page.locator("#note").inner_text()) == (" " in text)
    assert page.evaluate("window.longest") < RESPONSIVE_MS
    ask(page, "good")
    assert page.locator("#note").inner_text() == ""


def test_the_newest_text_wins(web_bundles, web_sites, new_page):
    page = open_page(new_page(), web_sites[1], "universal")
    texts = [f"{'good ' * (n % 7)}{'bad ' * (n % 5)}film {n}" for n in range(60)]
    page.evaluate(
        """(texts) => {
            const box = document.getElementById("text");
            for (const text of texts) {
                box.value = text;
                box.dispatchEvent(new InputEvent("input"));
            }
        }""",
        texts,
    )
    page.wait_for_selector(f"#answer[data-id='{len(texts)}']")
    assert "".join(shares(page)[0]) == texts[-1].replace(" ", "")
    expected = TFLiteClassifier(web_bundles["universal"] / "model.tflite").predict_proba(texts[-1:])
    assert probabilities(page) == pytest.approx(expected[0], abs=1e-3)
    page.click("#clear")
    assert page.locator("#answer").is_hidden()
    page.wait_for_timeout(200)  # no answer that comes late brings it back
    assert page.locator("#answer").is_hidden()


def test_small_screens_and_keyboards(web_sites, new_page):
    page = open_page(new_page(), web_sites[1], "universal")
    for text in ("w" * 300, "Ω" * 90 + " مرحبا بالعالم 我喜欢喝茶 😀", "<b>&amp;</b>"):
        ask(page, text)
        shares(page)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert page.get_by_label("Your text").input_value() == "<b>&amp;</b>"
    examples = page.get_by_role("group", name="Examples").get_by_role("button")
    assert examples.count() >= 1
    page.focus("#text")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert page.input_value("#text") == examples.first.inner_text()
    page.wait_for_selector("#spoken:has-text('% sure')", state="attached")
    assert page.locator("#spoken").get_attribute("aria-live") == "polite"
