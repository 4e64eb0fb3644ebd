"""Folders that transformers loads."""

import json

import numpy as np
import pytest

from tinybert_tf.checkpoints import load_backbone, load_hf, save_hf
from tinybert_tf.errors import TinyBertError
from tinybert_tf.models.backbone import TinyBertBackbone
from tinybert_tf.models.text_classifier import TinyBertTextClassifier

SIZES = {
    "vocabulary_size": 10,
    "num_layers": 2,
    "num_heads": 2,
    "hidden_dim": 4,
    "intermediate_dim": 6,
    "max_sequence_length": 9,
}
TEXTS = ["The film was good, playing!", "bad", "a b a b a b a b a b a b a b a b a b", ""]


def shake(model):
    """Random values for every weight, zero biases and unit gammas included."""
    generator = np.random.default_rng(0)
    for weight in model.weights:
        if weight.dtype == "float32":
            weight.assign(weight + generator.normal(0, 0.3, weight.shape))
    return model


@pytest.fixture
def classifier(tiny_classifier):
    """Weights changed after loading, so that the file cannot be the one it came from."""
    return shake(TinyBertTextClassifier.from_hf(str(tiny_classifier[1]), sequence_length=17))


def test_round_trip_through_transformers(classifier, tmp_path):
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    folder = save_hf(classifier, tmp_path / "exported")
    assert {path.name for path in folder.iterdir()} == {
        *("config.json", "model.safetensors", "vocab.txt", "tokenizer_config.json"),
    }
    model, loading = AutoModelForSequenceClassification.from_pretrained(
        folder, output_loading_info=True
    )
    assert not any(loading.values()), loading
    assert model.config.id2label == {0: "bad", 1: "neutral", 2: "good"}
    assert model.config.label2id == {"bad": 0, "neutral": 1, "good": 2}
    assert type(model).__name__ == "BertForSequenceClassification"

    tokenizer = AutoTokenizer.from_pretrained(folder)
    batch = tokenizer(TEXTS, padding=True, truncation=True, max_length=17, return_tensors="pt")
    wordpiece = classifier.preprocessor.tokenizer.wordpiece
    for ours, theirs, mask in zip(
        wordpiece.encode(TEXTS, max_length=17).token_ids,
        batch["input_ids"],
        batch["attention_mask"],
        strict=True,
    ):
        assert ours.tolist() == theirs[mask.bool()].tolist()
    with torch.no_grad():
        expected = model.eval()(**batch).logits.numpy()
    assert np.abs(classifier.predict(TEXTS) - expected).max() <= 1e-5


def test_round_trip_through_ours(classifier, tmp_path):
    save_hf(classifier, tmp_path / "exported")
    again = TinyBertTextClassifier.from_hf(str(tmp_path / "exported"), sequence_length=17)
    assert again.labels == classifier.labels
    for ours, expected in zip(again.weights, classifier.weights, strict=True):
        np.testing.assert_array_equal(ours, expected)
    wordpiece = classifier.preprocessor.tokenizer.wordpiece
    assert again.preprocessor.tokenizer.wordpiece == wordpiece


def test_multi_label_is_kept(tmp_path):
    classifier = TinyBertTextClassifier(
        TinyBertBackbone(**SIZES), labels=["x", "y"], multi_label=True
    )
    config = json.loads((save_hf(classifier, tmp_path / "exported") / "config.json").read_text())
    assert config["problem_type"] == "multi_label_classification"
    assert not (tmp_path / "exported" / "vocab.txt").exists()


@pytest.mark.parametrize("position_encoding", ["learned", "sinusoidal"])
@pytest.mark.parametrize("activation", ["gelu", "gelu_tanh", "relu"])
def test_backbone_alone(tmp_path, hf, position_encoding, activation):
    transformers = pytest.importorskip("transformers", reason="loads with transformers")
    backbone = shake(
        TinyBertBackbone(
            **SIZES,
            position_encoding=position_encoding,
            activation=activation,
            layer_norm_epsilon=1e-6,
        )
    )
    folder = save_hf(backbone, tmp_path / "exported")
    model, loading = transformers.AutoModel.from_pretrained(folder, output_loading_info=True)
    assert not any(loading.values()), loading
    inputs = hf.random_inputs(10, (9, 4), 9)
    expected = hf.run(model.eval(), inputs).last_hidden_state.numpy()
    outputs = backbone(inputs, training=False)["sequence_output"]
    assert np.abs(outputs - expected).max() <= 1e-5
    again = load_backbone(folder)(inputs, training=False)["sequence_output"]
    assert np.abs(again - expected).max() <= 1e-5


@pytest.mark.parametrize(
    "change", [{"attention_dim": 8}, {"reduced_dim": 3}], ids=["attention_dim", "reduced_dim"]
)
def test_what_bert_cannot_represent(tmp_path, change):
    backbone = TinyBertBackbone(**SIZES, **change)
    with pytest.raises(TinyBertError, match=f"Received: {next(iter(change))}="):
        save_hf(backbone, tmp_path / "exported")
    assert not (tmp_path / "exported").exists()


def test_relu_head_is_refused(tmp_path):
    classifier = TinyBertTextClassifier(TinyBertBackbone(**SIZES), num_classes=2, head="tinybert")
    with pytest.raises(TinyBertError, match="head='tinybert'"):
        save_hf(classifier, tmp_path / "exported")


# === Where it writes ===


def test_overwrites_an_earlier_export(classifier, tmp_path):
    save_hf(classifier, tmp_path / "exported")
    save_hf(classifier.backbone, tmp_path / "exported")
    assert {path.name for path in (tmp_path / "exported").iterdir()} == {
        "config.json",
        "model.safetensors",
    }
    assert load_backbone(tmp_path / "exported").num_layers == classifier.backbone.num_layers


def test_never_replaces_other_files(tmp_path):
    backbone = TinyBertBackbone(**SIZES)
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(TinyBertError, match=r"which holds thesis\.txt"):
        save_hf(backbone, tmp_path)
    with pytest.raises(TinyBertError, match="folder, not a file"):
        save_hf(backbone, tmp_path / "thesis.txt")
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


def test_unwritable_parent(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(TinyBertError, match="output folder that can be created"):
        save_hf(TinyBertBackbone(**SIZES), tmp_path / "file" / "exported")


def test_full_disk_leaves_the_old_export(classifier, tmp_path):
    """A file size limit of the process stops the writing in the middle, as a full disk does."""
    resource = pytest.importorskip("resource", reason="file size limits exist on POSIX only")
    folder = save_hf(classifier, tmp_path / "exported")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))
    try:
        with pytest.raises(TinyBertError, match="Could not write"):
            save_hf(shake(classifier), folder)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert [path.name for path in tmp_path.iterdir()] == ["exported"]
    assert load_hf(folder).num_classes == 3
