"""`tinybert-tf explain` says what it shows and shows the right numbers."""

import re

import pytest

from tinybert_tf.report import attention_maps, word_influence

TEXT = "the movies was really good"


def weights(printed: str) -> dict[str, float]:
    return {
        word: float(value)
        for word, value in re.findall(r"^(\S+) +([+-]?\d\.\d{3})\b", printed, re.M)
    }


def test_attention_of_a_run(invoke, student_folder, loud_classifier):
    result = invoke("explain", student_folder, TEXT)
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines()[-len(TEXT.split()) - 3].startswith("attention of the class")
    maps = attention_maps(loud_classifier, TEXT)
    attention = dict(zip(maps.tokens, maps.of_classification_token(), strict=True))
    found = weights(result.stdout)
    assert set(found) == set(maps.tokens) - {"[CLS]", "[SEP]"}
    for token, value in found.items():
        assert value == pytest.approx(attention[token], abs=6e-4)
    assert list(found.values()) == sorted(found.values(), reverse=True)
    aside = 100 * (attention["[CLS]"] + attention["[SEP]"])
    assert f"{aside:.0f} % of the attention goes to [CLS] and [SEP]" in result.stderr
    for label, share in zip(
        loud_classifier.labels, loud_classifier.predict_proba([TEXT])[0], strict=True
    ):
        assert re.search(rf"^{label} +{100 * share:.1f} %", result.stdout, re.M)


def test_masking_of_a_run(invoke, student_folder, loud_classifier):
    result = invoke("explain", student_folder, TEXT, "--by", "masking", "--top", "1")
    assert result.exit_code == 0, result.output
    assert "influence by masking" in result.stdout
    expected = word_influence(loud_classifier, TEXT)
    found = weights(result.stdout)
    for word, value in zip(expected.words, expected.influence, strict=True):
        assert found[word] == pytest.approx(value, abs=6e-4)
    other = loud_classifier.labels[1 - expected.column]
    assert not re.search(rf"^{other} ", result.stdout, re.M)


def test_words_that_look_like_rich_markup(invoke, student_folder):
    result = invoke("explain", student_folder, "[bold]good[/bold] [/]")
    assert result.exit_code == 0, result.output
    assert "[CLS] [ b ##o" in result.stdout.replace("[UNK]", "[")


def test_bad_input(refused, student_folder, build_tiny, tmp_path):
    assert "Expected a text with words" in refused("explain", student_folder, "  ")
    assert "does not exist" in refused("explain", tmp_path / "none", TEXT)
    (tmp_path / "m.tflite").write_bytes(b"not a model at all")
    line = refused("explain", tmp_path / "m.tflite", TEXT, "--by", "attention")
    assert "Expected --by masking for an exported file" in line
    assert "TFLite" in refused("explain", tmp_path / "m.tflite", TEXT)
    tiny = build_tiny()
    from tinybert_tf.models import TinyBertSentenceEmbedder

    embedder = TinyBertSentenceEmbedder(tiny.backbone, tiny.preprocessor)
    embedder.save_to_preset(str(tmp_path / "embedder"))
    line = refused("explain", tmp_path / "embedder", TEXT)
    assert "Expected a model for --task classification or regression" in line
    assert "--task embedding" in line
