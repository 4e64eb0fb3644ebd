"""Attention maps as data of the page, which its script draws."""

import base64
import json

import numpy as np

from tinybert_tf.report.attention import AttentionMaps
from tinybert_tf.report.contents import Sentence
from tinybert_tf.report.markup import Markup, escape, tag

# More tokens would be neither readable nor small.
MAX_TOKENS = 48
# Probabilities are stored in 16 bits.
SCALE = 65535


def attention_view(sentences: list[Sentence]) -> Markup:
    """The places that the script fills, and the probabilities themselves.

    Args:
        sentences: list of `Sentence`.
    """
    data = json.dumps([_sentence(one) for one in sentences], ensure_ascii=True)
    # Inside a script element only "</script" and "<!--" would end it: no "<" stays.
    data = Markup(data.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))
    return tag(
        "div",
        tag("div", id="sentences", class_="choices", role="group", aria_label="sentence"),
        tag("p", id="sentence-note", class_="lead"),
        tag("div", id="attention-models", class_="pair wide"),
        tag("noscript", tag("p", "The maps need JavaScript.", class_="missing")),
        tag("script", data, type="application/json", id="attention-data"),
    )


def _sentence(sentence: Sentence) -> dict:
    return {
        "text": _clean(sentence.text[:300]),
        "note": _clean(sentence.note),
        "models": [_maps(name, maps) for name, maps in sentence.maps.items()],
    }


def _clean(text: str) -> str:
    """Valid Unicode; the script writes it as text, never as markup."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _maps(name: str, maps: AttentionMaps) -> dict:
    layers, heads, length, _ = maps.probabilities.shape
    shown = maps.probabilities[:, :, :MAX_TOKENS, :MAX_TOKENS]
    numbers = np.round(shown * SCALE).astype("<u2")
    return {
        "name": _clean(name),
        "tokens": [_clean(token) for token in maps.tokens[:MAX_TOKENS]],
        "cut": max(length - MAX_TOKENS, 0),
        "layers": layers,
        "heads": heads,
        # In the order (layer, head, from, to).
        "data": base64.b64encode(np.ascontiguousarray(numbers).tobytes()).decode("ascii"),
    }


def caption(sentences: list[Sentence]) -> Markup:
    """What the maps show, and what they do not."""
    count = sum(
        1 for one in sentences for maps in one.maps.values() if len(maps.tokens) > MAX_TOKENS
    )
    cut = f" Of longer texts the first {MAX_TOKENS} tokens are shown." if count else ""
    return escape(
        "Each row is a token, each column a token it takes from: the stronger the colour the more; "
        "a row sums to 1. Choose a block below the map, and a head. Attention shows where a model "
        f"looks, not why it decides.{cut}"
    )
