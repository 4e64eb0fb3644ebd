"""A sentence encoder that does not average its tokens is no teacher of one that does."""

import json

import pytest

from tinybert_tf.checkpoints.pooling import check_mean_pooling
from tinybert_tf.errors import TinyBertError
from tinybert_tf.models import TinyBertSentenceEmbedder


def write(folder, types, **modes):
    modules = [{"type": f"sentence_transformers.models.{name}"} for name in types]
    (folder / "modules.json").write_text(json.dumps(modules))
    (folder / "1_Pooling").mkdir()
    pooling = {f"pooling_mode_{name}_tokens": value for name, value in modes.items()}
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(pooling))


def test_means_pass_and_so_does_silence(tmp_path):
    check_mean_pooling(tmp_path)
    write(tmp_path, ["Transformer", "Pooling", "Normalize"], mean=True, cls=False)
    check_mean_pooling(tmp_path)


def test_other_pooling_is_named(tmp_path):
    write(tmp_path, ["Transformer", "Pooling"], mean=False, cls=True)
    with pytest.raises(TinyBertError, match="averages .*pooling_mode_cls_tokens"):
        TinyBertSentenceEmbedder.from_hf(str(tmp_path))


def test_a_layer_after_it_is_named(tmp_path):
    write(tmp_path, ["Transformer", "Pooling", "Dense"], mean=True)
    with pytest.raises(TinyBertError, match="Received: .* with Dense"):
        check_mean_pooling(tmp_path)


def test_a_damaged_file_is_named(tmp_path):
    (tmp_path / "modules.json").write_text("{")
    with pytest.raises(TinyBertError, match="Expected JSON. Received: .*modules.json"):
        check_mean_pooling(tmp_path)
