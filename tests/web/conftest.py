"""Sites made of tiny real classifiers, and headless Chromium to look at them."""

import pytest
from web_sites import (
    LONG_LENGTHS,
    build_site,
    chromium_path,
    make_bundle,
    need,
    serve,
)

from tinybert_tf.export import to_tflite


@pytest.fixture(scope="session")
def web_bundles(loud_classifier, tmp_path_factory):
    """Folders of bundles by name: float32, universal and attention."""
    folder = tmp_path_factory.mktemp("bundles")
    found = {}
    for name, options in (
        ("float32", {"target": "float32", "sequence_length": LONG_LENGTHS}),
        ("universal", {"target": "universal"}),
        ("attention", {"target": "universal", "attention": True}),
    ):
        file = to_tflite(loud_classifier, folder / f"{name}.tflite", **options).path
        found[name] = make_bundle(file, folder / name)
    return found


@pytest.fixture(scope="session")
def web_sites(web_bundles, tmp_path_factory):
    """The address of each bundle's page, on a server of this process."""
    root = tmp_path_factory.mktemp("sites")
    for name, bundle in web_bundles.items():
        build_site(bundle, root / name)
    with serve(root) as address:
        yield root, address


@pytest.fixture(scope="session")
def chromium():
    """A headless Chromium."""
    path = chromium_path()
    need(path is not None, "no chromium on the PATH (apt-get install chromium)")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        need(False, "no playwright (pip install playwright)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def new_page(chromium):
    """Makes pages the size of a phone; errors of their scripts fail the test."""
    contexts, errors = [], []

    def make(**options):
        context = chromium.new_context(viewport={"width": 390, "height": 844}, **options)
        context.set_default_timeout(20_000)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        return page

    yield make
    for context in contexts:
        context.close()
    assert errors == []
