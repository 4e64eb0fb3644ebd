"""Sequence to sequence: training, saving, decoding."""

import keras
import keras_hub
import numpy as np
import pytest
import tensorflow as tf

import tinybert_tf as tb
from tinybert_tf.errors import TinyBertError
from tinybert_tf.evaluate.beam_search import beam_search
from tinybert_tf.models.decoding import greedy_search
from tinybert_tf.models.seq2seq import TinyBertSeq2Seq
from tinybert_tf.models.seq2seq_preprocessor import TinyBertSeq2SeqPreprocessor
from tinybert_tf.models.token_crossentropy import TokenAccuracy, TokenCrossentropy
from tinybert_tf.text.wordpiece import WordPiece
from tinybert_tf.training.resumable import fit_resumable

SPECIALS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
SOURCE = WordPiece([*SPECIALS, "one", "two", "three", "four", "five"])
# In another order, so that the ids of the two sides differ.
TARGET = WordPiece([*SPECIALS, "五", "四", "三", "二", "一"])
SOURCES = ["one two", "three four five", "five", "two two one", "four one three two", "five four"]
CHINESE = dict(zip(["one", "two", "three", "four", "five"], "一二三四五", strict=True))
TARGETS = ["".join(CHINESE[word] for word in reversed(text.split())) for text in SOURCES]


def make(target=TARGET, backbone=None, **arguments):
    keras.utils.set_random_seed(0)
    shape = {"max_sequence_length": 12, "dropout": 0.0, "attention_dropout": 0.0}
    backbone = tb.TinyBertBackbone(
        SOURCE.vocabulary_size, 1, 2, 16, 32, **{**shape, **(backbone or {})}
    )
    preprocessor = TinyBertSeq2SeqPreprocessor.from_wordpieces(
        SOURCE, target, sequence_length=8, target_length=6
    )
    model = TinyBertSeq2Seq(
        backbone, preprocessor, **{"max_target_length": 10, "label_smoothing": 0.0, **arguments}
    )
    for variable in model.trainable_variables:
        if variable.name in ("kernel", "embeddings"):
            variable.assign(variable.numpy() * 10)  # 0.02 is for widths of hundreds, not 16
    return model


def features_of(model, texts=SOURCES, targets=TARGETS):
    return model.batches(texts, targets, shuffle=False, batch_size=len(texts)).batch(0, 0)


def logits_of_model(model, features) -> np.ndarray:
    """Without a graph: tracing one takes longer than these models run."""
    return np.array(model(features, training=False))


@pytest.fixture(scope="module")
def trained():
    model = make()
    model.compile(optimizer=keras.optimizers.Adam(1e-2))
    model.fit(SOURCES, TARGETS, epochs=60, batch_size=6, verbose=0)
    return model


# === Training ===


def test_learns_to_translate_backwards(trained):
    assert trained.generate(SOURCES) == TARGETS
    assert trained.generate(SOURCES, beams=3, batch_size=4) == TARGETS
    results = trained.evaluate(SOURCES, TARGETS, verbose=0, return_dict=True)
    assert results["accuracy"] == 1.0
    assert results["loss"] < 0.1


@pytest.mark.filterwarnings("error")
def test_every_trainable_weight_has_a_gradient(recwarn):
    model = make(backbone={"reduced_dim": 4}, tie_output=False)
    model.compile(run_eagerly=True)
    before = [np.array(variable) for variable in model.trainable_variables]
    model.fit(SOURCES, TARGETS, verbose=0)
    assert not [w for w in recwarn if "Gradients do not exist" in str(w.message)]
    still = [
        variable.path
        for variable, old in zip(model.trainable_variables, before, strict=True)
        if np.array_equal(variable, old) and "key/bias" not in variable.path
    ]
    assert not still
    assert not [v.path for v in model.trainable_variables if "pooler" in v.path]


@pytest.mark.slow
def test_fit_resumable_goes_on_where_it_stopped(tmp_path):
    class Stop(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if self.model.optimizer.iterations == 4:
                raise KeyboardInterrupt

    def fit(model, checkpoint, **arguments):
        model.compile(run_eagerly=True)
        batches = model.batches(SOURCES, TARGETS, batch_size=2, seed=3)
        return fit_resumable(
            model, batches, 2, checkpoint=checkpoint, save_every=0, verbose=0, **arguments
        )

    whole, stopped, resumed = make(), make(), make()
    history = fit(whole, tmp_path / "whole.npz")
    with pytest.raises(KeyboardInterrupt):
        fit(stopped, tmp_path / "stopped.npz", callbacks=[Stop()])
    assert fit(resumed, tmp_path / "stopped.npz")["loss"][0] == history["loss"][0]
    for a, b in zip(whole.get_weights(), resumed.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_sample_weights_choose_the_pairs():
    model = make()
    model.compile(run_eagerly=True)
    weighted = model.evaluate(SOURCES[:2], TARGETS[:2], sample_weight=[0, 2], verbose=0)
    alone = model.evaluate(SOURCES[1:2], TARGETS[1:2], verbose=0, return_dict=True)
    # Two pairs of 3 and 4 tokens: the second alone counts, twice.
    assert weighted[0] == pytest.approx(alone["loss"] * 2 * 4 / 7, rel=1e-5)
    assert weighted[1] == pytest.approx(alone["accuracy"], abs=1e-6)


# === Batches ===


def test_a_batch_by_hand():
    model = make()
    batches = model.batches(["five", "two one"], ["五", "一二三四五一二"], shuffle=False)
    features, labels = batches.batch(0, 0)
    assert features["token_ids"].tolist() == [
        [2, 9, 3, 0, 0, 0, 0, 0],
        [2, 6, 5, 3, 0, 0, 0, 0],
    ]
    assert features["padding_mask"].sum(axis=1).tolist() == [3, 4]
    # Five of seven characters fit beside [SEP].
    assert features["decoder_token_ids"].tolist() == [
        [2, 5, 0, 0, 0, 0, 0, 0],
        [2, 9, 8, 7, 6, 5, 0, 0],
    ]
    assert features["decoder_padding_mask"].sum(axis=1).tolist() == [2, 6]
    assert labels.tolist() == [[5, 3, *[-1] * 6], [9, 8, 7, 6, 5, 3, -1, -1]]


def test_batches_hold_every_pair_once_in_an_order_of_the_seed():
    model = make()
    batches = model.batches(SOURCES * 5, TARGETS * 5, batch_size=4, seed=1)
    again = model.batches(SOURCES * 5, TARGETS * 5, batch_size=4, seed=1)
    assert sorted(batches.indices(2)) == list(range(30))
    assert batches.indices(2).tolist() == again.indices(2).tolist()
    assert batches.indices(2).tolist() != batches.indices(1).tolist()
    for (x, y), (other_x, other_y) in zip(batches.dataset(1, 3), again.dataset(1, 3), strict=True):
        np.testing.assert_array_equal(y, other_y)
        for name in x:
            np.testing.assert_array_equal(x[name], other_x[name])
    assert batches.checksum() != model.batches(SOURCES * 5, TARGETS[::-1] * 5).checksum()


# === Loss and accuracy ===


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.5])
def test_loss_is_keras_smoothed_crossentropy_over_real_tokens(smoothing):
    logits = np.random.default_rng(0).normal(size=(2, 3, 5)).astype("float32") * 3
    labels = np.array([[1, 4, -1], [2, -1, -1]])
    real = labels >= 0
    expected = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=smoothing)(
        np.eye(5)[labels[real]], logits[real]
    )
    found = TokenCrossentropy(smoothing)(labels, logits)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_accuracy_by_hand():
    logits = np.eye(3, dtype="float32")[[[0, 1, 2], [2, 2, 2]]]
    metric = TokenAccuracy()
    metric.update_state(np.array([[0, 1, 1], [-1, -1, 2]]), logits)
    assert float(metric.result()) == pytest.approx(3 / 4)
    metric.update_state(np.array([[0, 0, 0], [-1, -1, 2]]), logits, sample_weight=[0.0, 4.0])
    assert float(metric.result()) == pytest.approx(7 / 8)


# === Saving ===


@pytest.mark.parametrize(("target", "tie_output"), [(TARGET, True), (None, False)])
@pytest.mark.slow
def test_saves_and_loads(tmp_path, target, tie_output):
    model = make(target, tie_output=tie_output, position_encoding="sinusoidal", decoder_layers=2)
    features, _ = features_of(model)
    expected = logits_of_model(model, features)
    model.save(tmp_path / "model.keras")
    model.save_to_preset(str(tmp_path / "preset"))
    for copy in (
        keras.models.load_model(tmp_path / "model.keras"),
        TinyBertSeq2Seq.from_preset(str(tmp_path / "preset")),
        keras_hub.models.Seq2SeqLM.from_preset(str(tmp_path / "preset")),
    ):
        assert isinstance(copy, TinyBertSeq2Seq)
        assert copy.get_config().keys() == model.get_config().keys()
        assert copy.wordpiece == SOURCE
        assert copy.target_wordpiece == (target or SOURCE)
        np.testing.assert_allclose(logits_of_model(copy, features), expected, atol=1e-6)
    assert copy.generate(SOURCES[:1]) == model.generate(SOURCES[:1])


@pytest.mark.slow
def test_a_loaded_model_trains_on_as_the_saved_one(tmp_path):
    model = make(None)
    model.compile(optimizer=keras.optimizers.Adam(1e-2), run_eagerly=True)
    model.fit(SOURCES, SOURCES, verbose=0)
    model.save(tmp_path / "model.keras")
    copy = keras.models.load_model(tmp_path / "model.keras")
    assert isinstance(copy.loss, TokenCrossentropy)
    for one in (model, copy):
        one.run_eagerly = True
        one.fit(SOURCES, SOURCES, seed=3, verbose=0)
    for a, b in zip(model.get_weights(), copy.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)


def test_a_shared_word_table_is_one_table():
    shared, separate = make(None), make(None, target_vocabulary_size=SOURCE.vocabulary_size)
    size = SOURCE.vocabulary_size * 16
    assert separate.count_params() - shared.count_params() == size
    features, _ = features_of(shared, SOURCES, SOURCES)
    before = logits_of_model(shared, features)
    table = shared.backbone.embeddings.token_embedding.embeddings
    table.assign(table.numpy()[::-1])
    assert np.abs(logits_of_model(shared, features) - before).max() > 1e-3


def test_intermediates_are_outputs_of_the_same_graph():
    model = make(decoder_layers=2)
    features, _ = features_of(model)
    view = keras.Model(model.input, {**model.intermediates, "logits": model.output})
    found = view(features)
    np.testing.assert_allclose(found["logits"], logits_of_model(model, features), atol=1e-6)
    shapes = {name: [tuple(x.shape) for x in found[name]] for name in model.intermediates}
    assert shapes == {
        "hidden_states": [(6, 8, 16)] * 3,
        "self_attention_scores": [(6, 2, 8, 8)] * 2,
        "cross_attention_scores": [(6, 2, 8, 8)] * 2,
    }


def test_another_encoder_gets_a_decoder_of_its_own(trained):
    backbone = tb.TinyBertBackbone(SOURCE.vocabulary_size, 2, 2, 8, 16, max_sequence_length=12)
    other = trained.on_backbone(backbone)
    assert other.decoder_layers == 2
    assert other.target_wordpiece == TARGET
    features, _ = features_of(other)
    assert logits_of_model(other, features).shape == (6, 8, TARGET.vocabulary_size)


# === Decoding ===


def uncached_greedy(model, text, max_length):
    """Reads the whole prefix anew for each token."""
    target, ids = model.target_wordpiece, [model.target_wordpiece.cls_id]
    features, _ = features_of(model, [text], [""])
    for _ in range(max_length):
        features["decoder_token_ids"] = np.array([ids], "int32")
        features["decoder_padding_mask"] = np.ones((1, len(ids)), "int32")
        ids.append(int(logits_of_model(model, features)[0, -1].argmax()))
        if ids[-1] == target.sep_id:
            break
    return [i for i in ids[1:] if i != target.sep_id]


@pytest.mark.slow
def test_cached_decoding_is_uncached_decoding():
    """An untrained model rambles on, so that every position is compared."""
    model = make(backbone={"attention_dim": 8}, decoder_layers=2)
    generated = model.generate(SOURCES, max_length=10, batch_size=4)
    for text, found in zip(SOURCES, generated, strict=True):
        ids = uncached_greedy(model, text, max_length=10)
        assert found == model.target_wordpiece.decode(ids).replace(" ", "")
    assert max(map(len, generated)) > 4


@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16"])
def test_steps_give_the_logits_of_the_whole(dtype):
    model = make(backbone={"dtype": dtype}, decoder_layers=2)
    features, _ = features_of(model)
    expected = logits_of_model(model, features)
    encoded = model.backbone({name: features[name] for name in model.backbone.input})
    cross_caches = model.decoder.cross_caches(encoded["sequence_output"])
    caches = model.decoder.empty_caches(len(SOURCES), 9)
    for position in range(8):
        ids = features["decoder_token_ids"][:, position : position + 1]
        logits, caches = model.decoder.step(
            ids, position, caches, cross_caches, features["padding_mask"]
        )
        real = features["decoder_padding_mask"][:, position] == 1
        np.testing.assert_allclose(
            np.array(logits)[real],
            expected[real, position],
            atol=1e-4 if dtype == "float32" else 0.1,
        )
    assert caches[0][0].shape == (6, 2, 9, 8)


def random_step(vocabulary, seed=0):
    """Logits that are a function of the whole prefix; the prefixes are the state."""
    tables = {}
    generator = np.random.default_rng(seed)

    def logits_of(prefix):
        if prefix not in tables:
            tables[prefix] = generator.normal(size=vocabulary) * 2
        return tables[prefix]

    def step(token_ids, position, state):
        ids = np.asarray(token_ids, "float64")
        state = ids if position == 0 else np.concatenate([np.asarray(state), ids], axis=1)
        logits = np.stack([logits_of(tuple(row)) for row in state.astype(int).tolist()])
        return logits, state

    return step, logits_of


def brute_force(logits_of, vocabulary, max_length, alpha):
    """The best sequence by its score, over all there are. Token 1 starts, 0 ends."""
    best = (-np.inf, None)
    open_prefixes = [((1,), 0.0)]
    for length in range(1, max_length + 1):
        longer = []
        for prefix, score in open_prefixes:
            logits = logits_of(prefix)
            log_p = logits - np.log(np.exp(logits).sum())
            ended = (score + log_p[0]) / ((5 + length) / 6) ** alpha
            best = max(best, (ended, prefix[1:]))
            longer += [((*prefix, t), score + log_p[t]) for t in range(1, vocabulary)]
        open_prefixes = longer
    for prefix, score in open_prefixes:
        best = max(best, (score / ((5 + max_length) / 6) ** alpha, prefix[1:]))
    return best


@pytest.mark.parametrize("alpha", [0.0, 0.6, 2.0])
@pytest.mark.parametrize("seed", range(3))
def test_wide_beam_search_is_brute_force(alpha, seed):
    step, logits_of = random_step(4, seed)
    score, ids = brute_force(logits_of, 4, 4, alpha)
    found = beam_search(step, None, 2, 1, 0, 4, beams=60, length_penalty=alpha)
    for row in found:
        assert row[0].finished == (len(ids) < 4)
        assert tuple(row[0].token_ids) == ids
        assert row[0].score == pytest.approx(score)
        scores = [hypothesis.score for hypothesis in row]
        assert scores == sorted(scores, reverse=True)
        assert len({tuple(hypothesis.token_ids) for hypothesis in row}) == len(row)


@pytest.mark.parametrize("seed", range(5))
def test_one_beam_is_greedy(seed):
    step, logits_of = random_step(5, seed)
    (found,) = beam_search(step, None, 1, 1, 0, 6, beams=1)
    prefix = (1,)
    while len(prefix) < 7 and logits_of(prefix).argmax():
        prefix += (int(logits_of(prefix).argmax()),)
    assert found[0].token_ids == list(prefix[1:])
    assert found[0].finished == (len(prefix) < 7)


def test_one_beam_is_greedy_with_a_model(trained):
    for model in (trained, make()):
        features, _ = features_of(model)
        encoded = model.backbone({name: features[name] for name in model.backbone.input})
        cross_caches = model.decoder.cross_caches(encoded["sequence_output"])

        def step(token_ids, position, caches, model=model, cross=cross_caches, x=features):
            return model.decoder.step(
                tf.cast(token_ids, "int32"), position, caches, cross, x["padding_mask"]
            )

        common = (6, 2, 3, 8)
        greedy = greedy_search(step, model.decoder.empty_caches(6, 8), *common)
        beam = beam_search(step, model.decoder.empty_caches(6, 8), *common, beams=1)
        assert [row[0].token_ids for row in beam] == greedy


def test_more_beams_find_likelier_targets():
    step, _ = random_step(6, 11)
    scores = [
        beam_search(step, None, 1, 1, 0, 8, beams=beams, length_penalty=0.0)[0][0].score
        for beams in (1, 4, 200)
    ]
    assert scores[0] < scores[1] <= scores[2]


def test_length_penalty_by_hand():
    """Ending at once has probability 0.5; two more tokens and the end have 0.4 together."""

    def step(token_ids, position, state):
        p = {0: [0.5, 0.1, 0.4], 1: [0.0, 0.0, 1.0], 2: [1.0, 0.0, 0.0]}[position]
        return np.log(np.tile(np.array(p) + 1e-12, (2, 1))), np.zeros((2, 1))

    def best(alpha):
        found = beam_search(step, None, 1, 1, 0, 3, beams=2, length_penalty=alpha)
        return found[0][0]

    assert best(0.0).token_ids == []
    assert best(0.0).score == pytest.approx(np.log(0.5))
    assert best(1.0).token_ids == [2, 2]
    assert best(1.0).score == pytest.approx(np.log(0.4) / (8 / 6))


# === Errors ===


def tensors_only():
    return TinyBertSeq2Seq(tb.TinyBertBackbone(10, 1, 2, 8, 8, max_sequence_length=8))


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (lambda: make().generate("one two"), "`texts` is expected to be a list of strings"),
        (lambda: make().generate(["one"], max_length=11), "from 1 to 10.*max_length=11"),
        (lambda: make().generate(["one"], beams=0), "beams=0"),
        (lambda: make().predict(["one"]), "strings go to `generate`"),
        (lambda: make().batches(["one"], []), "1 sources, 0 targets"),
        (lambda: make(max_target_length=5), "target_length=6"),
        (lambda: make(target_vocabulary_size=9), "at most 9 tokens.*vocabulary_size=10"),
        (lambda: make(None, backbone={"embedding_dim": 4}), "embedding_dim=4"),
        (lambda: make(label_smoothing=1.0), "label_smoothing=1.0"),
        (lambda: tensors_only().generate(["one"]), "preprocessor=None"),
        (lambda: beam_search(lambda *a: a, None, 1, 1, 0, 0), "max_length=0"),
        (
            lambda: TinyBertSeq2SeqPreprocessor.from_wordpieces(SOURCE, target_length=1),
            "target_length=1",
        ),
    ],
)
def test_errors(act, message):
    with pytest.raises(TinyBertError, match=message):
        act()


def test_no_texts_no_targets(trained):
    assert trained.generate([]) == []


def test_other_tokenizer_rules_leave_the_targets_alone():
    model = make()
    model.use_tokenizer("mediapipe")
    assert model.wordpiece.rules == "mediapipe"
    assert model.target_wordpiece.vocabulary == TARGET.vocabulary
    assert model.preprocessor.target_length == 6


@pytest.mark.slow
def test_lengths_that_are_no_multiple_of_eight():
    """Batches are padded to a multiple of 8, but not beyond the position tables."""
    model = make(backbone={"max_sequence_length": 9}, max_target_length=9)
    model.preprocessor.sequence_length = model.preprocessor.target_length = 9
    model.compile(optimizer=keras.optimizers.Adam(1e-3))
    (features, labels) = model.batches(["one " * 12], ["一" * 12], batch_size=1).batch(0, 0)
    assert features["token_ids"].shape == labels.shape == (1, 9)
    model.fit(["one " * 12], ["一" * 12], verbose=0)


def test_an_unlikely_early_end_does_not_win():
    """What goes on is likelier by far; every beam that ended is worse."""
    logits = np.array([-5.0, 0.0, -0.1, -5.0])

    def step(token_ids, position, state):
        return np.tile(logits, (len(token_ids), 1)), state

    (best, *others), *_ = beam_search(step, np.zeros((4, 1)), 1, 1, 3, 20, beams=4)
    assert len(best.token_ids) == 20 and not best.finished
    assert all(best.score >= other.score for other in others) and len(others) <= 3
