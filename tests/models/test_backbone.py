"""The backbone: contract, intermediates, saving."""

import keras
import keras_hub
import numpy as np
import pytest

from tinybert_tf import ARCHITECTURES, TinyBertBackbone, TinyBertError, architecture

INPUTS = {
    "token_ids": np.array([[1, 2, 3, 4], [5, 6, 0, 0]], "int32"),
    "segment_ids": np.array([[0, 0, 1, 1], [0, 0, 0, 0]], "int32"),
    "padding_mask": np.array([[1, 1, 1, 1], [1, 1, 0, 0]], "int32"),
}
SMALL = {
    "vocabulary_size": 10,
    "num_layers": 2,
    "num_heads": 2,
    "hidden_dim": 8,
    "intermediate_dim": 12,
    "max_sequence_length": 16,
}
VARIANTS = [
    {},
    {"reduced_dim": 4},
    {"attention_dim": 6},
    {"position_encoding": "sinusoidal"},
    {"activation": "relu", "num_segments": 1},
]


@pytest.mark.parametrize("variant", VARIANTS)
def test_backbone_saves_and_loads(tmp_path, variant):
    backbone = TinyBertBackbone(**SMALL, **variant)
    inputs = dict(INPUTS)
    if variant.get("num_segments") == 1:
        inputs["segment_ids"] = inputs["segment_ids"] * 0
    outputs = backbone(inputs)
    assert tuple(outputs["sequence_output"].shape) == (2, 4, 8)
    width = variant.get("reduced_dim", 8)
    assert tuple(outputs["pooled_output"].shape) == (2, width)
    assert ("reduced_output" in outputs) == ("reduced_dim" in variant)
    if "reduced_dim" in variant:
        assert tuple(outputs["reduced_output"].shape) == (2, 4, width)

    backbone.save(tmp_path / "model.keras")
    backbone.save_to_preset(str(tmp_path / "preset"))
    for copy in (
        keras.models.load_model(tmp_path / "model.keras"),
        TinyBertBackbone.from_preset(str(tmp_path / "preset")),
        keras_hub.models.Backbone.from_preset(str(tmp_path / "preset")),
    ):
        assert isinstance(copy, TinyBertBackbone)
        assert copy.get_config() == backbone.get_config()
        for name, value in copy(inputs).items():
            np.testing.assert_array_equal(value, outputs[name])


def test_intermediates_are_tensors_of_the_same_pass():
    backbone = TinyBertBackbone(**SMALL)
    view = keras.Model(backbone.input, {**backbone.intermediates, **backbone.output})
    outputs = view(INPUTS)
    assert [tuple(x.shape) for x in outputs["hidden_states"]] == [(2, 4, 8)] * 3
    assert [tuple(x.shape) for x in outputs["attention_scores"]] == [(2, 2, 4, 4)] * 2
    np.testing.assert_array_equal(outputs["hidden_states"][-1], outputs["sequence_output"])
    np.testing.assert_array_equal(
        outputs["hidden_states"][0],
        backbone.embeddings(INPUTS["token_ids"], INPUTS["segment_ids"]),
    )


def test_mixed_precision_policies():
    for policy in ("mixed_float16", "mixed_bfloat16"):
        backbone = TinyBertBackbone(**SMALL, dtype=policy)
        output = backbone(INPUTS)["sequence_output"]
        assert keras.backend.standardize_dtype(output.dtype) == policy.removeprefix("mixed_")
        assert TinyBertBackbone.from_config(backbone.get_config()).dtype_policy.name == policy


@pytest.mark.parametrize(
    ("name", "parameters"),
    [("tinybert_4l_312", 14_350_248), ("tinybert_6l_768", 66_955_008)],
)
def test_parameter_counts_of_the_paper(name, parameters):
    """14.5M and 67.0M in TinyBERT table 1."""
    backbone = TinyBertBackbone(vocabulary_size=30522, **architecture(name))
    assert backbone.count_params() == parameters


def test_unknown_architecture_and_sizes():
    with pytest.raises(TinyBertError, match="tinybert_4l_312.*name='huge'"):
        architecture("huge")
    with pytest.raises(TinyBertError, match="num_layers=0"):
        TinyBertBackbone(**{**SMALL, "num_layers": 0})
    architecture("bert_tiny_2l_128")["hidden_dim"] = 1  # a copy: the table stays
    assert ARCHITECTURES["bert_tiny_2l_128"]["hidden_dim"] == 128
