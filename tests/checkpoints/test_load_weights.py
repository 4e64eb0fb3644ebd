"""Weights that do not fit are listed by name, and change nothing; config.json is checked."""

import json

import numpy as np
import pytest

from tinybert_tf.checkpoints import backbone_config, load_backbone, load_hf, load_weights_into
from tinybert_tf.checkpoints.bert_config import label_names
from tinybert_tf.checkpoints.hugging_face_writer import _file_weights
from tinybert_tf.errors import TinyBertError
from tinybert_tf.models.backbone import TinyBertBackbone

SIZES = {
    "vocabulary_size": 10,
    "num_layers": 2,
    "num_heads": 2,
    "hidden_dim": 4,
    "intermediate_dim": 6,
    "max_sequence_length": 5,
}
CONFIG = {
    "vocab_size": 10,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "hidden_size": 4,
    "intermediate_size": 6,
    "max_position_embeddings": 5,
}


@pytest.fixture
def backbone():
    return TinyBertBackbone(**SIZES)


@pytest.fixture
def weights():
    """The weights of another backbone, in the file's names and layout."""
    return _file_weights(TinyBertBackbone(**SIZES))


def test_number_and_names(weights):
    assert len(weights) == 5 + 2 * 16 + 2
    assert weights["encoder.layer.1.intermediate.dense.weight"].shape == (6, 4)
    assert weights["encoder.layer.1.output.dense.weight"].shape == (4, 6)


def test_all_problems_in_one_message(backbone, weights):
    before = backbone.get_weights()
    del weights["encoder.layer.1.attention.self.query.weight"]
    del weights["pooler.dense.bias"]
    weights["encoder.layer.2.output.dense.bias"] = np.zeros(4, "float32")
    weights["embeddings.extra.weight"] = np.zeros(4, "float32")
    weights["embeddings.word_embeddings.weight"] = np.zeros((11, 4), "float32")
    weights["encoder.layer.0.intermediate.dense.weight"] = np.zeros((4, 6), "float32")
    weights["encoder.layer.0.output.dense.bias"] = np.zeros(4, "int64")
    with pytest.raises(TinyBertError) as caught:
        load_weights_into(backbone, weights, source="a checkpoint")
    message = str(caught.value)
    assert "Received: a checkpoint; missing: " in message
    missing, surplus, shapes, types = message.split("; ")[1:]
    assert missing == ("missing: encoder.layer.1.attention.self.query.weight, pooler.dense.bias")
    assert surplus == "surplus: encoder.layer.2.output.dense.bias, embeddings.extra.weight"
    assert shapes == (
        "wrongly shaped: embeddings.word_embeddings.weight (expected (10, 4), received (11, 4)), "
        "encoder.layer.0.intermediate.dense.weight (expected (6, 4), received (4, 6))"
    )
    assert types == "not floating point: encoder.layer.0.output.dense.bias (int64)"
    for weight, old in zip(backbone.weights, before, strict=True):
        np.testing.assert_array_equal(weight, old)


def test_heads_are_left_out(backbone, weights):
    for key in ("cls.predictions.bias", "qa_outputs.weight", "fit_dense.weight", "classifier.bias"):
        weights[key] = np.zeros(3, "float32")
    weights["embeddings.position_ids"] = np.zeros((1, 5), "int64")
    load_weights_into(backbone, weights)
    np.testing.assert_array_equal(backbone.pooler.kernel, weights["pooler.dense.weight"].T)


def test_one_weight_under_two_names(backbone, weights):
    weights["bert.pooler.dense.bias"] = weights["pooler.dense.bias"]
    with pytest.raises(TinyBertError, match=r"'pooler\.dense\.bias' under several names"):
        load_weights_into(backbone, weights)


def test_another_dtype_policy(weights):
    backbone = TinyBertBackbone(**SIZES, dtype="mixed_bfloat16")
    load_weights_into(backbone, {key: value.astype("f8") for key, value in weights.items()})
    np.testing.assert_array_equal(backbone.pooler.kernel, weights["pooler.dense.weight"].T)


def test_sinusoidal_backbone_has_no_position_weights(weights):
    backbone = TinyBertBackbone(**SIZES, position_encoding="sinusoidal")
    with pytest.raises(TinyBertError, match=r"surplus: embeddings\.position_embeddings\.weight"):
        load_weights_into(backbone, weights)
    del weights["embeddings.position_embeddings.weight"]
    load_weights_into(backbone, weights)


def test_reduced_backbone_keeps_its_pooler(weights):
    backbone = TinyBertBackbone(**SIZES, reduced_dim=3)
    pooler, _ = backbone.pooler.get_weights()
    load_weights_into(backbone, weights)
    np.testing.assert_array_equal(backbone.pooler.kernel, pooler)
    np.testing.assert_array_equal(
        backbone.encoder_blocks[1].attention.key_dense.kernel,
        weights["encoder.layer.1.attention.self.key.weight"].T,
    )


# === Checkpoints of heads without a pooler ===


def write(folder, weights, **config):
    from safetensors.numpy import save_file

    save_file(weights, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps({**CONFIG, **config}))
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "b", "c", "d", "e"]
    (folder / "vocab.txt").write_text("".join(f"{token}\n" for token in tokens))
    return folder


def without_pooler(weights):
    return {key: value for key, value in weights.items() if not key.startswith("pooler.")}


def test_absent_pooler_is_missing(tmp_path, weights):
    with pytest.raises(TinyBertError, match=r"missing: pooler\.dense\.weight, pooler\.dense\.bias"):
        load_backbone(write(tmp_path, without_pooler(weights)))


def test_masked_lm_has_no_pooler(tmp_path, weights):
    folder = write(tmp_path, without_pooler(weights), architectures=["BertForMaskedLM"])
    with pytest.warns(UserWarning, match=r"no pooler: pooler\.dense\.weight"):
        backbone = load_backbone(folder)
    np.testing.assert_array_equal(
        backbone.embeddings.token_embedding.embeddings,
        weights["embeddings.word_embeddings.weight"],
    )


@pytest.mark.parametrize(
    ("architecture", "name", "kind"),
    [
        ("BertForSequenceClassification", "classifier", "classes"),
        ("BertForTokenClassification", "classifier", "tokens"),
        ("BertForQuestionAnswering", "qa_outputs", "spans"),
    ],
)
def test_heads_know_what_they_read(tmp_path, weights, architecture, name, kind):
    weights[f"{name}.weight"] = np.arange(8, dtype="float32").reshape(2, 4)
    weights[f"{name}.bias"] = np.zeros(2, "float32")
    loaded = load_hf(write(tmp_path, weights, architectures=[architecture]))
    assert loaded.head_kind == kind
    np.testing.assert_array_equal(loaded.head_kernel, weights[f"{name}.weight"].T)


def test_labels_and_head_disagree(tmp_path, weights):
    weights["classifier.weight"] = np.zeros((3, 4), "float32")
    weights["classifier.bias"] = np.zeros(3, "float32")
    folder = write(tmp_path, weights, id2label={"0": "no", "1": "yes"})
    with pytest.raises(TinyBertError, match=r"classes, 3\. Received: \['no', 'yes'\]"):
        load_hf(folder)


# === config.json ===


def test_backbone_config():
    arguments = backbone_config({**CONFIG, "hidden_act": "gelu_new", "layer_norm_eps": 1e-6})
    assert arguments == {
        **SIZES,
        "dropout": 0.1,
        "attention_dropout": 0.1,
        "num_segments": 2,
        "layer_norm_epsilon": 1e-6,
        "activation": "gelu_tanh",
    }


@pytest.mark.parametrize(
    "change",
    [
        {"model_type": "roberta"},
        {"position_embedding_type": "relative_key"},
        {"hidden_act": "swish"},
        {"hidden_act": ["gelu"]},
        {"is_decoder": True},
        {"vocab_size": None},
        {"hidden_size": "4"},
        {"num_hidden_layers": 0},
        {"num_attention_heads": True},
        {"hidden_dropout_prob": -1},
        {"layer_norm_eps": float("nan")},
    ],
)
def test_other_models_are_refused(change):
    (key, value), *_ = change.items()
    with pytest.raises(TinyBertError) as caught:
        backbone_config({**CONFIG, **change})
    assert f"Received: {key}={value!r}" in str(caught.value)


def test_missing_size():
    config = {key: value for key, value in CONFIG.items() if key != "hidden_size"}
    with pytest.raises(TinyBertError, match="hidden_size=None"):
        backbone_config(config)


def test_label_names():
    assert label_names({"id2label": {"1": "b", "0": "a"}}) == ["a", "b"]
    assert label_names({}) is None
    with pytest.raises(TinyBertError, match=r"ids \[1, 2\]"):
        label_names({"id2label": {"1": "b", "2": "a"}})
    with pytest.raises(TinyBertError, match="class numbers to names"):
        label_names({"id2label": ["a", "b"]})
