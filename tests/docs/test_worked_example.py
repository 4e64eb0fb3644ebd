"""The page of the forward pass is what its script writes, and numpy comes to the same numbers."""

import math
import runpy
from pathlib import Path

import numpy as np
import pytest

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def script() -> dict:
    return runpy.run_path(str(DOCS / "worked_example.py"), run_name="worked_example")


@pytest.fixture(scope="module")
def computed(script) -> dict:
    return script["compute"]()


def test_the_page_is_what_the_script_writes(script, computed):
    page = (DOCS / "worked_example.md").read_text("utf-8")
    assert page == script["render"](computed) + "\n", "run: python docs/worked_example.py"
    assert "<<" not in page and "nan" not in page
    for rows in (computed["embedding"], *(block["scores"] for block in computed["blocks"])):
        for row in rows:
            assert " | ".join(f"{x:.3f}" for x in row) in page


# === The same by hand ===


def layer_norm(x):
    centered = x - x.mean(axis=-1, keepdims=True)
    variance = (centered**2).mean(axis=-1, keepdims=True)
    return centered / np.sqrt(variance + 1.0) * np.array([1.0, 2.0]) + np.array([0.5, 0.0])


def gelu(x):
    return x * 0.5 * (1.0 + np.vectorize(math.erf)(x / math.sqrt(2.0)))


def softmax(x):
    powers = np.exp(x)
    return powers / powers.sum(axis=-1, keepdims=True)


def dense(x, weights):
    kernel, bias = (np.array(part, float) for part in weights)
    return x @ kernel + bias


def block_by_hand(hidden, weights) -> dict:
    query, key, value = (dense(hidden, weights[name]) for name in ("query", "key", "value"))
    scores = query @ key.T / math.sqrt(2.0)
    context = softmax(scores) @ value
    attended = dense(context, weights["output"])
    middle = layer_norm(hidden + attended)
    inner = dense(middle, weights["inner"])
    outer = dense(gelu(inner), weights["outer"])
    return {
        "query": query,
        "key": key,
        "value": value,
        "scores": scores,
        "probabilities": softmax(scores),
        "context": context,
        "attended": attended,
        "attention sum": hidden + attended,
        "middle": middle,
        "inner": inner,
        "activated": gelu(inner),
        "outer": outer,
        "output sum": middle + outer,
        "output": layer_norm(middle + outer),
    }


def test_numpy_comes_to_the_same_numbers(script, computed):
    tokens = ["[CLS]", "hello", ",", "world", "!", "[SEP]"]
    assert computed["tokens"] == tokens
    ids = [script["VOCABULARY"].index(token) for token in tokens]
    words, positions, segments = (
        np.array(script[name], float) for name in ("WORDS", "POSITIONS", "SEGMENTS")
    )
    hidden = layer_norm(words[ids] + positions + segments[0])
    np.testing.assert_allclose(computed["embedding"], hidden, atol=1e-6)
    states, scores = [hidden], []
    for weights, found in zip(script["BLOCKS"], computed["blocks"], strict=True):
        expected = block_by_hand(states[-1], weights)
        assert found.keys() == expected.keys()
        for name, values in expected.items():
            np.testing.assert_allclose(found[name], values, atol=1e-6, err_msg=name)
        states.append(expected["output"])
        scores.append(expected["scores"])

    pooled = np.tanh(dense(states[-1][0], script["POOLER"]))
    logits = dense(pooled, script["HEAD"])
    np.testing.assert_allclose(computed["pooled"], pooled, atol=1e-6)
    np.testing.assert_allclose(computed["logits"], logits, atol=1e-5)
    np.testing.assert_allclose(computed["probabilities"], softmax(logits), atol=1e-5)

    losses = {
        "attention": [np.mean((each - 1.0) ** 2) for each in scores],
        "hidden": [np.mean((each - 1.0) ** 2) for each in states[1:]],
        "embedding": [np.mean((states[0] - 1.0) ** 2)],
        "prediction": [-np.mean(np.log(softmax(logits)))],
    }
    assert computed["losses"].keys() == losses.keys()
    for name, values in losses.items():
        np.testing.assert_allclose(computed["losses"][name], values, atol=1e-5, err_msg=name)


def test_the_matrices_are_those_of_the_whole_model(script, computed):
    classifier = script["build_classifier"]()
    probabilities = classifier.predict_proba([script["TEXT"]])[0]
    np.testing.assert_allclose(computed["probabilities"], probabilities, atol=1e-5)
    assert classifier.classify([script["TEXT"]]) == ["greeting"]
