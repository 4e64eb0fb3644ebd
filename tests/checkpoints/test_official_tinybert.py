"""The files that huawei-noah released: PyTorch pickle, vocab.txt, a config without model_type."""

import json

import numpy as np
import pytest

from tinybert_tf.checkpoints import load_hf
from tinybert_tf.errors import TinyBertError
from tinybert_tf.models.text_classifier import TinyBertTextClassifier

torch = pytest.importorskip("torch", reason="writes the files as the release did")
pytest.importorskip("transformers", reason="compares with transformers")


def write_official(folder, model, vocabulary, extra: dict, legacy_norms: bool = False):
    """Writes `model` under the key names, and with the config, of the release."""
    config = model.config
    description = {
        "attention_probs_dropout_prob": 0.1,
        "cell": {},
        "emb_size": config.hidden_size,
        "hidden_act": "gelu",
        "hidden_dropout_prob": 0.1,
        "hidden_size": config.hidden_size,
        "initializer_range": 0.02,
        "intermediate_size": config.intermediate_size,
        "max_position_embeddings": config.max_position_embeddings,
        "num_attention_heads": config.num_attention_heads,
        "num_hidden_layers": config.num_hidden_layers,
        "pre_trained": "",
        "structure": [],
        "type_vocab_size": 2,
        "vocab_size": config.vocab_size,
    }
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps(description))
    (folder / "vocab.txt").write_text("".join(f"{token}\n" for token in vocabulary))
    weights = {f"bert.{key}": value for key, value in model.state_dict().items()}
    if legacy_norms:
        weights = {
            key.replace("LayerNorm.weight", "LayerNorm.gamma").replace(
                "LayerNorm.bias", "LayerNorm.beta"
            ): value
            for key, value in weights.items()
        }
    torch.save(
        {**weights, **extra}, folder / "pytorch_model.bin", _use_new_zipfile_serialization=False
    )
    return folder


def general_extra(model) -> dict:
    """What the general distillation leaves beside the encoder."""
    hidden, vocabulary = model.config.hidden_size, model.config.vocab_size
    return {
        "cls.predictions.bias": torch.zeros(vocabulary),
        "cls.predictions.transform.dense.weight": torch.zeros(hidden, hidden),
        "cls.predictions.transform.dense.bias": torch.zeros(hidden),
        "cls.predictions.transform.LayerNorm.weight": torch.ones(hidden),
        "cls.predictions.transform.LayerNorm.bias": torch.zeros(hidden),
        "cls.predictions.decoder.weight": model.embeddings.word_embeddings.weight.detach(),
        "cls.seq_relationship.weight": torch.zeros(2, hidden),
        "cls.seq_relationship.bias": torch.zeros(2),
        "fit_dense.weight": torch.zeros(768, hidden),
        "fit_dense.bias": torch.zeros(768),
    }


def assert_loads_as(model, loaded, hf):
    inputs = hf.random_inputs(len(hf.vocabulary), (17, 9, 1), 17)
    expected = hf.run(model, inputs)
    outputs = loaded.backbone(inputs, training=False)
    pooled = np.abs(outputs["pooled_output"] - expected.pooler_output.numpy()).max()
    states = np.abs(outputs["sequence_output"] - expected.last_hidden_state.numpy()).max()
    assert max(pooled, states) <= 1e-5


@pytest.mark.parametrize("legacy_norms", [False, True], ids=["weight_bias", "gamma_beta"])
def test_general_tinybert(tiny_bert, hf, tmp_path, legacy_norms):
    model = tiny_bert[0]
    folder = write_official(
        tmp_path, model, hf.vocabulary, general_extra(model), legacy_norms=legacy_norms
    )
    loaded = load_hf(folder)
    assert_loads_as(model, loaded, hf)
    assert loaded.head_kernel is None
    assert loaded.wordpiece.vocabulary == hf.vocabulary
    assert loaded.wordpiece.lowercase


def test_task_tinybert(tiny_bert, hf, tmp_path):
    """A task checkpoint: classifier, one projection a layer, position ids."""
    model = tiny_bert[0]
    generator = torch.Generator().manual_seed(1)
    kernel, bias = torch.randn(2, 12, generator=generator), torch.randn(2, generator=generator)
    extra = {
        "classifier.weight": kernel,
        "classifier.bias": bias,
        "bert.embeddings.position_ids": torch.arange(17).expand(1, -1),
        **{f"fit_denses.{layer}.weight": torch.zeros(768, 12) for layer in range(4)},
        **{f"fit_denses.{layer}.bias": torch.zeros(768) for layer in range(4)},
    }
    folder = write_official(tmp_path, model, hf.vocabulary, extra)
    assert_loads_as(model, load_hf(folder), hf)

    labels = ["negative", "positive"]
    classifier = TinyBertTextClassifier.from_hf(
        str(folder), labels=labels, head="tinybert", sequence_length=17
    )
    inputs = hf.random_inputs(len(hf.vocabulary), (17, 9, 1), 17)
    pooled = hf.run(model, inputs).pooler_output
    expected = (torch.relu(pooled) @ kernel.T + bias).numpy()
    assert np.abs(classifier(inputs, training=False) - expected).max() <= 1e-5


def test_data_parallel_prefix(tiny_bert, hf, tmp_path):
    model = tiny_bert[0]
    folder = write_official(tmp_path, model, hf.vocabulary, {})
    weights = {f"module.bert.{key}": value for key, value in model.state_dict().items()}
    torch.save({"state_dict": weights}, folder / "pytorch_model.bin")
    assert_loads_as(model, load_hf(folder), hf)


def test_missing_vocabulary(tiny_bert, hf, tmp_path):
    folder = write_official(tmp_path, tiny_bert[0], hf.vocabulary, {})
    (folder / "vocab.txt").unlink()
    with pytest.raises(TinyBertError, match=r"vocab\.txt"):
        load_hf(folder)


def test_half_a_head(tiny_bert, hf, tmp_path):
    folder = write_official(
        tmp_path, tiny_bert[0], hf.vocabulary, {"classifier.weight": torch.zeros(2, 12)}
    )
    with pytest.raises(TinyBertError, match=r"missing: classifier\.bias"):
        load_hf(folder)


def test_head_of_another_width(tiny_bert, hf, tmp_path):
    extra = {"classifier.weight": torch.zeros(2, 5), "classifier.bias": torch.zeros(2)}
    folder = write_official(tmp_path, tiny_bert[0], hf.vocabulary, extra)
    with pytest.raises(TinyBertError, match=r"wrongly shaped: classifier\.weight \(2, 5\)"):
        load_hf(folder)
