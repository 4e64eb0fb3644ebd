"""Tagging words: alignment with pieces, training, distillation, transformers' numbers."""

import keras
import numpy as np
import pytest

import tinybert_tf as tb
from tinybert_tf.checkpoints import save_hf
from tinybert_tf.distillation.predictions import token_label_loss, token_prediction_loss
from tinybert_tf.models import TinyBertTokenClassifier
from tinybert_tf.models.token_crossentropy import TokenAccuracy

LABELS = ["O", "B-film", "I-film"]
# "goods" is two pieces: good ##s.
SENTENCES = [["the", "film", "was", "goods"], ["a", "bad", "plot"], ["good", "movie", "!"]]
TAGS = [["O", "B-film", "O", "O"], ["O", "O", "B-film"], ["B-film", "I-film", "O"]]


@pytest.fixture
def tagger(build_tiny):
    return tagger_of(build_tiny())


def tagger_of(classifier, labels=LABELS):
    keras.utils.set_random_seed(1)
    return TinyBertTokenClassifier(
        classifier.backbone, labels=labels, preprocessor=classifier.preprocessor
    )


def test_labels_stand_at_first_pieces(tagger):
    batches = tagger.batches(SENTENCES, TAGS, shuffle=False)
    features, labels = batches.batch(0, 0)
    row = int(np.flatnonzero(batches.rows(0, 0) == 0)[0])
    # [CLS] the film was good ##s [SEP], padded to 8
    assert labels[row].tolist() == [-1, 0, 1, 0, 0, -1, -1, -1]
    assert features["padding_mask"][row].tolist() == [1] * 7 + [0]
    masks = tagger.distillation_batches(SENTENCES, shuffle=False).batch(0, 0)[0]["position_mask"]
    assert masks[row].tolist() == [0, 1, 1, 1, 1, 0, 0, 0]


@pytest.mark.slow
def test_learns_a_handful_of_sentences(tagger):
    tagger.compile(keras.optimizers.Adam(1e-2))
    before = tagger.evaluate(SENTENCES, TAGS, verbose=0, return_dict=True)
    tagger.fit(SENTENCES, TAGS, epochs=40, verbose=0)
    after = tagger.evaluate(SENTENCES, TAGS, verbose=0, return_dict=True)
    assert after["loss"] < before["loss"] / 4
    assert after["accuracy"] == 1.0
    assert tagger.tag(SENTENCES) == TAGS
    (entity,) = tagger.find_entities(["The  film was good"])[0]
    assert (entity["type"], entity["start"], entity["end"], entity["text"]) == (
        "film",
        5,
        9,
        "film",
    )
    assert 0.3 < entity["score"] <= 1.0


def test_loss_and_accuracy_count_tagged_pieces_only(tagger):
    features, labels = tagger.batches(SENTENCES, TAGS, shuffle=False).batch(0, 0)
    logits = np.asarray(tagger(features, training=False))
    shifted = logits - logits.max(axis=-1, keepdims=True)
    log_probabilities = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    rows, columns = np.nonzero(labels >= 0)
    picked = -log_probabilities[rows, columns, labels[rows, columns]]
    assert len(picked) == 10
    right = logits[rows, columns].argmax(axis=-1) == labels[rows, columns]
    found = tagger.evaluate(SENTENCES, TAGS, verbose=0, return_dict=True)
    assert found["loss"] == pytest.approx(picked.mean(), rel=1e-5)
    assert found["accuracy"] == pytest.approx(right.mean())


def test_token_accuracy_weights():
    metric = TokenAccuracy()
    logits = np.eye(2, dtype="float32")[[[0, 1, 1], [0, 0, 0]]]
    metric.update_state(np.array([[0, 0, -1], [1, -1, 0]]), logits, np.array([1.0, 3.0]))
    assert float(metric.result()) == pytest.approx((1 + 0 + 0 + 3) / (1 + 1 + 3 + 3))


def test_soft_targets_against_numpy():
    generator = np.random.default_rng(0)
    student, teacher = generator.normal(size=(2, 2, 4, 3)).astype("float32")
    mask = np.array([[0, 1, 1, 0], [0, 1, 0, 0]], "int32")

    def softmax(x):
        return np.exp(x) / np.exp(x).sum(axis=-1, keepdims=True)

    t = 2.0
    per_token = -(softmax(teacher / t) * np.log(softmax(student / t))).sum(axis=-1) * t * t
    expected = [per_token[0, 1:3].mean(), per_token[1, 1]]
    np.testing.assert_allclose(token_prediction_loss(student, teacher, mask, t), expected, 1e-5)
    labels = np.array([[-1, 2, 0, -1], [-1, 1, -1, -1]])
    hard = -np.log(softmax(student))
    expected = [(hard[0, 1, 2] + hard[0, 2, 0]) / 2, hard[1, 1, 1]]
    np.testing.assert_allclose(token_label_loss(student, labels), expected, 1e-5)


@pytest.mark.slow
def test_distillation_brings_a_student_to_its_teacher(tagger):
    tagger.compile(keras.optimizers.Adam(1e-2))
    tagger.fit(SENTENCES, TAGS, epochs=40, verbose=0)
    student = tb.student_of(tagger, num_layers=1, init="random")
    assert isinstance(student, TinyBertTokenClassifier) and student.labels == LABELS

    def distance():
        pairs = zip(student.predict_proba(SENTENCES), tagger.predict_proba(SENTENCES), strict=True)
        return max(np.abs(own - other).max() for own, other in pairs)

    before = distance()
    history = tb.distill(
        tagger,
        student,
        SENTENCES,
        validation_data=(SENTENCES, TAGS),
        epochs={"intermediate": 5, "prediction": 60},
        learning_rate=5e-3,
        balance=True,
        verbose=0,
    )
    assert distance() < before / 2
    assert student.tag(SENTENCES) == TAGS
    assert history["prediction"]["val_accuracy"][-1] == 1.0


@pytest.mark.slow
def test_narrow_student_starts_from_principal_directions(tagger):
    student = tb.student_of(tagger, num_layers=2, hidden_dim=8, texts=SENTENCES)
    assert student.backbone.hidden_dim == 8
    general = tb.student_of(tagger, init=student.backbone, texts=SENTENCES)
    assert general.predict(SENTENCES)[0].shape == (7, 3)


def test_round_trips(tagger, tmp_path):
    expected = tagger.predict(SENTENCES)
    tagger.save(tmp_path / "tagger.keras")
    tagger.save_to_preset(str(tmp_path / "preset"))
    for loaded in (
        keras.saving.load_model(tmp_path / "tagger.keras"),
        TinyBertTokenClassifier.from_preset(str(tmp_path / "preset")),
    ):
        assert loaded.labels == LABELS
        for own, other in zip(loaded.predict(SENTENCES), expected, strict=True):
            np.testing.assert_allclose(own, other, atol=1e-6)


def test_same_logits_as_transformers(tagger, tmp_path):
    torch = pytest.importorskip("torch", reason="transformers needs torch (extra 'hf')")
    transformers = pytest.importorskip("transformers", reason="needs the extra 'hf'")
    folder = save_hf(tagger, tmp_path / "hf")
    model = transformers.BertForTokenClassification.from_pretrained(folder).eval()
    (features, *_) = tagger.batches(SENTENCES, shuffle=False).batch(0, 0)
    with torch.no_grad():
        theirs = model(
            input_ids=torch.tensor(features["token_ids"]),
            attention_mask=torch.tensor(features["padding_mask"]),
            token_type_ids=torch.tensor(features["segment_ids"]),
        ).logits.numpy()
    real = features["padding_mask"].astype(bool)
    np.testing.assert_allclose(np.asarray(tagger(features))[real], theirs[real], atol=1e-5)
    loaded = TinyBertTokenClassifier.from_hf(str(folder), sequence_length=32)
    assert loaded.labels == LABELS
    np.testing.assert_allclose(
        loaded.predict(SENTENCES)[0], tagger.predict(SENTENCES)[0], atol=1e-6
    )


def test_sentences_longer_than_the_model(tagger):
    """30 words fit between [CLS] and [SEP]; every word is labelled, and tagged, once."""
    words = [SENTENCES[0][index % 3] for index in range(80)]
    long, tags = [words, ["film"], []], [[LABELS[i % 3] for i in range(80)], ["O"], []]
    encoded = tagger.encode(long)
    assert max(map(len, encoded.token_ids)) <= 32 and len(encoded) > 5
    labels = tagger.batches(long, tags, sample_weight=[1.0, 2.0, 3.0]).labels
    assert sum((row >= 0).sum() for row in labels) == 81
    assert [len(row) for row in tagger.tag(long)] == [80, 1, 0]
    # Away from the cuts, a window answers as if it stood alone.
    (alone,) = tagger.predict_proba([words[:30]])
    np.testing.assert_allclose(tagger.predict_proba(long)[0][:10], alone[:10], atol=1e-5)


@pytest.mark.parametrize(
    ("sentences", "tags", "message"),
    [
        (SENTENCES, TAGS[:2], "3 sentences, 2 lists of tags"),
        (SENTENCES, [TAGS[0], ["O"], TAGS[2]], "row 1 has 3 words, 1 tags"),
        (SENTENCES, [TAGS[0], ["O", "O", "B-song"], TAGS[2]], "unknown .*B-song"),
    ],
)
def test_tags_that_do_not_fit(tagger, sentences, tags, message):
    with pytest.raises(tb.TinyBertError, match=message):
        tagger.batches(sentences, tags)


def test_a_teacher_of_another_task_is_refused(tagger, build_tiny):
    with pytest.raises(tb.TinyBertError, match="one kind of task"):
        tb.Distiller(tagger, build_tiny())


def test_the_distiller_counts_first_pieces_only(tagger, build_tiny):
    student = tagger_of(build_tiny(num_layers=1))
    distiller = tb.Distiller(student, tagger, tb.prediction_losses())
    distiller.compile("sgd")
    batches = student.distillation_batches(SENTENCES, shuffle=False)
    found = distiller.evaluate(batches.dataset(), verbose=0, return_dict=True)["loss"]
    features = batches.batch(0, 0)[0]
    own, other = (m.predict_batches(batches) for m in (student, tagger))
    losses, of_all = [], []
    for row, words in enumerate(SENTENCES):
        first = np.flatnonzero(features["position_mask"][list(batches.rows(0, 0)).index(row)])
        assert len(first) == len(words)
        log_p, log_q = (
            x - np.log(np.exp(x).sum(-1, keepdims=True)) for x in (own[row], other[row])
        )
        per_token = -(np.exp(log_q) * log_p).sum(-1)
        losses.append(per_token[first].mean())
        of_all.append(per_token.mean())
    assert found == pytest.approx(np.mean(losses), rel=1e-5)
    assert abs(found - np.mean(of_all)) > 1e-4


def test_weights_of_sentences(tagger):
    weights = np.array([1.0, 0.0, 3.0], "float32")
    found = tagger.evaluate(SENTENCES, TAGS, sample_weight=weights, verbose=0, return_dict=True)
    assert np.isfinite(found["loss"])
    tagger.fit(SENTENCES, TAGS, sample_weight=weights, verbose=0)
    with pytest.raises(tb.TinyBertError, match="class_weight with a text classifier"):
        tagger.fit(SENTENCES, TAGS, class_weight={0: 2.0}, verbose=0)
    with pytest.raises(tb.TinyBertError, match="class_weight with a text classifier"):
        tb.finetune(tagger, SENTENCES, TAGS, class_weight="balanced", verbose=0)


def test_tags_that_are_no_entities(build_tiny):
    """Parts of speech: any names will do, and nothing is repaired."""
    tagger = tagger_of(build_tiny(), ["NOUN", "VERB"])
    assert set(tagger.tag(SENTENCES)[0]) <= {"NOUN", "VERB"}


def test_words_with_punctuation_are_trained_as_texts_are_cut(tagger):
    """An app has the text alone, where "the" and "film" of "the'film" are words of their own."""
    sentences, tags = [["a", "the'film", "was", "good."], []], [["O", "B-film", "O", "O"], []]
    for batches in (
        tagger.batches(sentences, tags, shuffle=False),
        tagger.distillation_batches(sentences, tags, shuffle=False),
    ):
        features, labels = batches.batch(0, 0)
        row = int(np.flatnonzero(batches.rows(0, 0) == 0)[0])
        # [CLS] a the ' film was good . [SEP]
        assert labels[row].tolist()[:9] == [-1, 0, 1, 2, 2, 0, 0, 0, -1]
    assert features["position_mask"][row].tolist()[:9] == [0, 1, 1, 1, 1, 1, 1, 1, 0]
    # Scored word by word, as the data is.
    assert [len(row) for row in tagger.tag(sentences)] == [4, 0]


@pytest.mark.slow
def test_texts_give_the_entities_of_their_words(tagger):
    sentences = [["the", "film-plot", "was", "good"], ["a", "movie", "."], ["bad", "plot!"]]
    tags = [["O", "B-film", "O", "O"], ["O", "O", "O"], ["O", "O"]]
    tagger.compile(keras.optimizers.Adam(1e-2))
    tagger.fit(sentences, tags, epochs=40, verbose=0)
    assert tagger.tag(sentences) == tags
    found = tagger.find_entities([" ".join(words) for words in sentences])
    assert [[entity["text"] for entity in row] for row in found] == [["film-plot"], [], []]
