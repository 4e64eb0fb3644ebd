"""Broken bundles, old browsers and incomplete builds: each says what is wrong."""

import json
import os
import shutil

import pytest
from test_web_page import ask
from web_sites import WEB, replace, sign, web_build

pytestmark = pytest.mark.slow  # a browser


@pytest.fixture
def copied(web_sites, tmp_path):
    """A copy of a site that a test may break, and its address."""
    root, address = web_sites
    name = tmp_path.name
    shutil.copytree(root / "universal", root / name, copy_function=os.link)
    yield root / name / "bundle", f"{address}/{name}/index.html"
    shutil.rmtree(root / name)


def failure(page, address) -> str:
    page.goto(address)
    page.wait_for_selector("#failure:not([hidden])")
    for part in ("#loading", "#ask", "#answer", "#model"):
        assert page.locator(part).is_hidden()
    assert page.get_by_role("alert").is_visible()
    return page.locator("#failure-text").inner_text()


@pytest.mark.parametrize("damage", ["noise", "cut", "empty"])
def test_broken_model(damage, copied, new_page):
    bundle, address = copied
    data = (bundle / "model.tflite").read_bytes()
    broken = {"noise": bytes(range(256)) * 40, "cut": data[: len(data) // 3], "empty": b""}[damage]
    replace(bundle / "model.tflite", broken)
    page = new_page()
    assert "model.tflite is not the file that manifest.json describes" in failure(page, address)
    sign(bundle)  # now only LiteRT can see it
    assert "model.tflite is broken, or no file for LiteRT" in failure(page, address)
    replace(bundle / "model.tflite", data)
    sign(bundle)
    page.click("#retry")
    assert len(ask(page, "good film")) == 2


@pytest.mark.parametrize(
    "change, said",
    [
        ({"format_version": 2}, "format version 2; this page reads up to 1"),
        ({"format": "other"}, "not one of tinybert_tf.bundle"),
        ({"task": "ner"}, "shows classifiers. The bundle is for ner"),
    ],
)
def test_manifest_of_another_kind(change, said, copied, new_page):
    bundle, address = copied
    sign(bundle, **change)
    assert said in failure(new_page(), address)


def test_files_that_do_not_fit(copied, new_page):
    bundle, address = copied
    page = new_page()
    manifest = (bundle / "manifest.json").read_bytes()
    replace(bundle / "manifest.json", manifest[:-20])
    assert "manifest.json is damaged" in failure(page, address)
    replace(bundle / "manifest.json", manifest)
    replace(bundle / "labels.txt", b"a\nb\nc\n")
    assert "labels.txt is not the file" in failure(page, address)
    sign(bundle)
    assert "The model has 2 classes, labels.txt has 3 lines" in failure(page, address)
    (bundle / "vocab.txt").unlink()
    assert "vocab.txt could not be loaded: the server answers 404" in failure(page, address)


def test_browser_without_simd(web_sites, new_page):
    page = new_page()
    page.add_init_script("WebAssembly.validate = () => false")
    requests = []
    page.on("request", lambda request: requests.append(request.url))
    said = failure(page, f"{web_sites[1]}/universal/index.html")
    assert "WebAssembly SIMD" in said and "Safari from 16.4 on" in said
    assert page.locator("#retry").is_hidden()
    assert not [url for url in requests if "bundle" in url or "wasm" in url]


def test_out_of_scope(copied, new_page):
    bundle, address = copied
    sign(bundle, out_of_scope={"score": "probability", "threshold": 1.5})
    page = new_page()
    page.goto(address)
    ask(page, "good film")
    assert page.locator("#answer-label").inner_text() == "Out of scope"
    sign(bundle, out_of_scope=None, multi_label=True)
    page.goto(address)
    answer = ask(page, "good film")
    best = ["negative", "positive"][answer.index(max(answer))]
    assert page.locator("#answer-label").inner_text() == best


def test_build_refuses_what_is_no_bundle(web_bundles, tmp_path):
    with pytest.raises(web_build.BuildError, match="tinybert-tf bundle"):
        web_build.build(tmp_path, tmp_path / "out")
    bundle = tmp_path / "bundle"
    shutil.copytree(web_bundles["universal"], bundle)
    with pytest.raises(web_build.BuildError, match="another folder"):
        web_build.build(bundle, bundle)
    (bundle / "labels.txt").unlink()
    with pytest.raises(web_build.BuildError, match=r"labels\.txt in the bundle"):
        web_build.build(bundle, tmp_path / "out")
    manifest = json.loads((bundle / "manifest.json").read_text("utf-8"))
    for change, said in (({"labels": "../labels.txt"}, "plain file names"), ({"task": "qa"}, "qa")):
        replace(bundle / "manifest.json", json.dumps({**manifest, **change}).encode())
        with pytest.raises(web_build.BuildError, match=said):
            web_build.build(bundle, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_packages_are_checked(web_sites, tmp_path, monkeypatch):
    """A build without npm takes packages from the cache, but only the right ones."""
    package = json.loads((WEB / "litert.lock.json").read_text("utf-8"))["packages"][1]
    data = web_build.fetch(package, web_build.cache_folder())
    (kept,) = web_build.cache_folder().glob("litertjs-wasm-utils-*.tgz")
    monkeypatch.setenv("PATH", str(tmp_path))
    shutil.copyfile(kept, tmp_path / kept.name)
    assert web_build.fetch(package, tmp_path) == data
    (tmp_path / kept.name).write_bytes(data + b"x")
    with pytest.raises(web_build.BuildError, match="Expected npm"):
        web_build.fetch(package, tmp_path)


def test_sources_name_no_host():
    for path in WEB.rglob("*"):
        if path.is_file() and path.suffix in (".js", ".html", ".css", ".json", ".py"):
            text = path.read_text("utf-8")
            assert "https://" not in text and "//cdn" not in text, path
