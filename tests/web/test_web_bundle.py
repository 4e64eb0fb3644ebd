"""The page with the bundle that lies in the repository, as people will see it."""

from pathlib import Path

import numpy as np
import pytest
from web_sites import build_site, golden, serve

from tinybert_tf.export import TFLiteClassifier

pytestmark = pytest.mark.slow  # a browser

BUNDLE = Path(__file__).parents[2] / "android_demo_assets" / "bundle"


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    site = build_site(BUNDLE, tmp_path_factory.mktemp("site") / "demo")
    with serve(site.parent) as found:
        yield f"{found}/demo/index.html"


def test_answers_are_those_of_python(address, new_page):
    page = new_page()
    page.goto(address)
    page.wait_for_selector("#ask:not([hidden])")
    page.click("#model summary")
    rows = [row for row in golden(BUNDLE) if row["text"].strip()][:40]
    labels = TFLiteClassifier(BUNDLE / "model.tflite").labels
    shown = []
    for row in rows:
        before = page.locator("#answer").get_attribute("data-id")
        page.fill("#text", row["text"])
        page.wait_for_selector(f"#answer:not([hidden]):not([data-id='{before}'])")
        bars = page.locator("#bars li")
        pairs = bars.evaluate_all(
            "bars => bars.map(b => [b.querySelector('.name').innerText, b.dataset.probability])"
        )
        shown.append({name: float(value) for name, value in pairs})
    for values, row in zip(shown, rows, strict=True):
        places = [labels.index(name.replace(" ", "_")) for name in values]
        golden_values = np.array(row["probabilities"])
        # WebAssembly's kernels round the activations of int8 files otherwise than a processor's;
        # a float32 file is within 1e-5 (test_web_page.py).
        found = np.array(list(values.values()))
        assert np.abs(found - golden_values[places]).max() < 2e-2, row["text"]
        assert places[0] == golden_values.argmax() or np.ptp(found[:2]) < 2e-2
