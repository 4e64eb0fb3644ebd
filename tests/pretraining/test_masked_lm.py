"""The masked language model: parity, saving, learning."""

import math

import keras
import numpy as np
import pytest

import tinybert_tf as tb
from tinybert_tf.pretraining import evaluate_masked_lm, prepare_corpus, pretrain


def inputs(rows=3, length=8, predictions=2):
    generator = np.random.default_rng(0)
    ids = generator.integers(5, 17, (rows, length)).astype("int32")
    return {
        "token_ids": ids,
        "segment_ids": ids * 0,
        "padding_mask": ids * 0 + 1,
        "mask_positions": generator.integers(0, length, (rows, predictions)).astype("int32"),
    }


def test_head_against_numpy(new_masked_lm):
    model = new_masked_lm(dropout=0.0)
    x = inputs()
    found = model.predict_on_batch(x)
    encoded = model.backbone.predict_on_batch({k: x[k] for k in model.backbone.input})
    hidden = np.take_along_axis(
        encoded["sequence_output"], x["mask_positions"][..., None], axis=1
    ).astype("float64")
    head = model.masked_lm_head
    kernel, bias = head.transform_dense.get_weights()
    hidden = hidden @ kernel + bias
    erf = np.vectorize(math.erf)
    hidden = 0.5 * hidden * (1 + erf(hidden / math.sqrt(2)))
    centered = hidden - hidden.mean(-1, keepdims=True)
    normal = centered / np.sqrt((centered**2).mean(-1, keepdims=True) + 1e-12)
    table = model.backbone.embeddings.token_embedding.embeddings.numpy()
    expected = normal @ table.T + head.bias.numpy()  # gamma 1, beta 0: as initialized
    np.testing.assert_allclose(found["masked_lm"], expected, atol=1e-4)
    kernel, bias = model.next_sentence_dense.get_weights()
    np.testing.assert_allclose(
        found["next_sentence"], encoded["pooled_output"] @ kernel + bias, atol=1e-5
    )


def test_the_word_table_is_tied_and_counted_once(new_masked_lm):
    model = new_masked_lm()
    tables = [v for v in model.trainable_variables if v.shape == (17, 16)]
    assert len(tables) == 1
    own = sum(int(np.prod(v.shape)) for v in model.masked_lm_head.weights)
    assert own == 16 * 16 + 16 + 2 * 16 + 17


@pytest.mark.parametrize("next_sentence", [True, False])
def test_preset_round_trip(new_masked_lm, tmp_path, next_sentence):
    model = new_masked_lm(next_sentence=next_sentence)
    model.save_to_preset(str(tmp_path / "preset"))
    again = tb.TinyBertMaskedLM.from_preset(str(tmp_path / "preset"))
    assert again.wordpiece == model.wordpiece and again.next_sentence is next_sentence
    for name, value in model.predict_on_batch(inputs()).items():
        np.testing.assert_allclose(again.predict_on_batch(inputs())[name], value, atol=1e-6)


def test_keras_file_round_trip(new_masked_lm, tmp_path):
    model = new_masked_lm()
    model.save(tmp_path / "m.keras")
    again = keras.models.load_model(tmp_path / "m.keras")
    expected = model.predict_on_batch(inputs())["masked_lm"]
    np.testing.assert_allclose(again.predict_on_batch(inputs())["masked_lm"], expected, atol=1e-6)


@pytest.mark.slow
def test_pretraining_learns_and_resumes(new_masked_lm, tmp_path, wordpiece):
    """Texts of one letter each: a hidden one is the one beside it."""
    path = tmp_path / "t.txt"
    texts = [" ".join(letter * 12) for letter in "abcdefgh"]
    path.write_text("\n\n".join(texts * 12), "utf-8")
    corpus = prepare_corpus(path, tmp_path / "c", wordpiece, max_length=16, pairs=False)
    settings = {"epochs": 25, "batch_size": 8, "learning_rate": 1e-2, "verbose": 0}
    model = new_masked_lm(next_sentence=False, dropout=0.0, num_layers=2)
    before = evaluate_masked_lm(model, texts)
    history = pretrain(model, corpus, run_dir=tmp_path / "run", **settings)
    after = evaluate_masked_lm(model, texts)
    assert before.perplexity > 8 > 2 > after.perplexity
    assert after.accuracy > 0.5 and after.predictions == before.predictions > 0
    assert history["loss"][-1] < history["loss"][0]
    again = new_masked_lm(next_sentence=False, dropout=0.0, num_layers=2)
    pretrain(again, corpus, run_dir=tmp_path / "run", **settings)  # finished: only restored
    np.testing.assert_array_equal(
        again.masked_lm_head.bias.numpy(), model.masked_lm_head.bias.numpy()
    )


def test_frozen_encoder(new_masked_lm, corpus):
    model = new_masked_lm()
    before = [v.numpy() for v in model.backbone.trainable_variables]
    head = model.masked_lm_head.bias.numpy()
    pretrain(model, corpus, batch_size=8, freeze_encoder=True, verbose=0)
    for a, b in zip(before, model.backbone.trainable_variables, strict=True):
        np.testing.assert_array_equal(a, b.numpy())
    assert (model.masked_lm_head.bias.numpy() != head).any()
    assert model.backbone.trainable


def test_loss_is_the_mean_over_what_is_predicted(new_masked_lm):
    model = new_masked_lm(dropout=0.0)
    x = inputs()
    labels = np.array([[5, 6], [7, 0], [8, 9]], "int32")
    weights = np.array([[1, 1], [1, 0], [1, 1]], "float32")
    follows = np.array([0, 1, 1], "int32")
    logs = model.evaluate(
        x,
        {"masked_lm": labels, "next_sentence": follows},
        sample_weight={"masked_lm": weights, "next_sentence": np.ones(3, "float32")},
        verbose=0,
        return_dict=True,
    )
    out = model.predict_on_batch(x)

    def nll(logits, labels):
        logits = logits - logits.max(-1, keepdims=True)
        log = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
        return -np.take_along_axis(log, labels[..., None], -1)[..., 0]

    expected = (nll(out["masked_lm"], labels) * weights).sum() / 5
    expected += nll(out["next_sentence"], follows).mean()
    assert logs["loss"] == pytest.approx(expected, rel=1e-5)


def test_vocabulary_and_kind_of_corpus_are_checked(new_masked_lm, corpus, text_file, tmp_path):
    wordpiece = new_masked_lm().wordpiece
    single = prepare_corpus(text_file, tmp_path / "c", wordpiece, pairs=False)
    with pytest.raises(tb.TinyBertError, match="pairs"):
        pretrain(new_masked_lm(), single)
    other = tb.TinyBertMaskedLM(
        tb.TinyBertBackbone(18, 1, 2, 16, 32, max_sequence_length=16),
        tb.TinyBertTextClassifierPreprocessor(
            tb.TinyBertTokenizer([*wordpiece.vocabulary, "zz"]), 16
        ),
    )
    with pytest.raises(tb.TinyBertError, match="vocabulary"):
        pretrain(other, corpus)


def test_parity_with_transformers(tmp_path, wordpiece):
    """BertForPreTraining's logits, both heads imported."""
    torch = pytest.importorskip("torch", reason="torch, the peer, is not installed")
    transformers = pytest.importorskip("transformers", reason="transformers is not installed")
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=17,
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=16,
        initializer_range=0.3,
    )
    peer = transformers.BertForPreTraining(config).eval()
    torch.nn.init.normal_(peer.cls.predictions.bias)
    peer.save_pretrained(tmp_path)
    (tmp_path / "vocab.txt").write_text("\n".join(wordpiece.vocabulary) + "\n", "utf-8")
    model = tb.TinyBertMaskedLM.from_hf(str(tmp_path), sequence_length=16)
    assert model.imported_heads == ["masked_lm", "next_sentence"]
    x = inputs()
    with torch.no_grad():
        theirs = peer(
            input_ids=torch.tensor(x["token_ids"].astype("int64")),
            token_type_ids=torch.tensor(x["segment_ids"].astype("int64")),
            attention_mask=torch.tensor(x["padding_mask"].astype("int64")),
        )
    found = model.predict_on_batch(x)
    expected = np.take_along_axis(
        theirs.prediction_logits.numpy(), x["mask_positions"][..., None], axis=1
    )
    np.testing.assert_allclose(found["masked_lm"], expected, atol=2e-5)
    np.testing.assert_allclose(
        found["next_sentence"][:, ::-1], theirs.seq_relationship_logits.numpy(), atol=2e-5
    )
