"""Distillation of sequence-to-sequence models, by the word and by the sequence."""

import json

import keras
import numpy as np
import pytest
from distillation_models import new_classifier

import tinybert_tf as tb
from tinybert_tf.distillation.checks import check_on_dev
from tinybert_tf.distillation.predictions import token_prediction_loss
from tinybert_tf.text.wordpiece import WordPiece

# A decoder's graphs take long to build.
pytestmark = pytest.mark.slow

SPECIALS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
WORDS = ["one", "two", "three", "four", "five"]
SOURCE = WordPiece([*SPECIALS, *WORDS])
TARGET = WordPiece([*SPECIALS, *"五四三二一"])
SOURCES = ["one two", "three four five", "five", "two two one", "four one three two", "five four"]
TARGETS = [
    "".join("一二三四五"[WORDS.index(word)] for word in reversed(text.split())) for text in SOURCES
]


def make(target=TARGET, num_layers=2, width=16, **arguments):
    keras.utils.set_random_seed(0)
    backbone = tb.TinyBertBackbone(
        SOURCE.vocabulary_size,
        num_layers,
        2,
        width,
        32,
        max_sequence_length=12,
        dropout=0.0,
        attention_dropout=0.0,
    )
    preprocessor = tb.TinyBertSeq2SeqPreprocessor.from_wordpieces(
        SOURCE, target, sequence_length=8, target_length=6
    )
    return tb.TinyBertSeq2Seq(
        backbone, preprocessor, **{"max_target_length": 8, "label_smoothing": 0.0, **arguments}
    )


@pytest.fixture(scope="module")
def teacher():
    model = make()
    for variable in model.trainable_variables:
        if variable.name in ("kernel", "embeddings"):
            variable.assign(variable.numpy() * 10)  # 0.02 is for widths of hundreds, not 16
    model.compile(optimizer=keras.optimizers.Adam(1e-2))
    model.fit(SOURCES, TARGETS, epochs=60, batch_size=6, verbose=0)
    assert model.generate(SOURCES) == TARGETS
    return model


def logits_of(model, features) -> np.ndarray:
    return np.array(model(features, training=False))


# === Word level ===


def test_prediction_loss_counts_the_targets_tokens(teacher):
    student = tb.student_of(teacher, num_layers=1, init="random")
    distiller = tb.Distiller(student, teacher, tb.prediction_losses(hard_label_weight=0.5))
    weight = np.array([2, 0, 1, 1, 0, 0.5])
    x, y, w = student.batches(
        SOURCES, TARGETS, sample_weight=weight, shuffle=False, batch_size=6
    ).batch(0, 0)
    own, other = logits_of(student, x), logits_of(teacher, x)
    soft, hard = np.zeros(6), np.zeros(6)
    for row in range(6):
        real = x["decoder_padding_mask"][row] == 1
        log_p = own[row] - np.log(np.exp(own[row]).sum(-1, keepdims=True))
        p = np.exp(other[row]) / np.exp(other[row]).sum(-1, keepdims=True)
        soft[row] = -(p * log_p).sum(-1)[real].mean()
        hard[row] = -log_p[np.arange(len(log_p)), y[row]][real].mean()
    assert x["decoder_padding_mask"].sum() == (y >= 0).sum() < y.size
    found = distiller.term_values((x, y, w))
    np.testing.assert_allclose(found, [(soft * w[:, 0]).mean(), (hard * w[:, 0]).mean()], rtol=1e-5)
    np.testing.assert_allclose(
        token_prediction_loss(own, other, x["decoder_padding_mask"]), soft, rtol=1e-5
    )


def test_each_stage_reaches_what_it_compares(teacher):
    student = tb.student_of(teacher, num_layers=1, init="random")
    encoder = {v.path for v in tb.Distiller(student, teacher).reached_variables}
    assert encoder and not [path for path in encoder if "decoder" in path or "pooler" in path]
    both = tb.Distiller(student, teacher, tb.prediction_losses()).reached_variables
    reached = {id(v) for v in both}
    missed = [v.path for v in student.trainable_variables if id(v) not in reached]
    assert not missed
    assert not [v.path for v in both if "pooler" in v.path]


@pytest.mark.slow
def test_a_student_learns_from_its_teacher(teacher):
    student = tb.student_of(teacher, num_layers=1)
    history = tb.distill(
        teacher,
        student,
        SOURCES * 4,
        TARGETS * 4,
        validation_data=(SOURCES, TARGETS),
        epochs={"intermediate": 2, "prediction": 20},
        learning_rate=1e-2,
        batch_size=8,
        keep_best=True,
        verbose=0,
    )
    assert student.generate(SOURCES) == TARGETS
    intermediate, prediction = history["intermediate"], history["prediction"]
    assert {"embedding_loss", "hidden_loss", "attention_loss"} <= set(intermediate)
    assert prediction["prediction_loss"][-1] < prediction["prediction_loss"][0] / 2
    assert prediction["val_accuracy"][prediction["best_epoch"] - 1] == 1.0
    assert student.decoder_layers == 1


def test_two_teachers_average_their_logits(teacher):
    other = tb.student_of(teacher, num_layers=1)
    student = tb.student_of(teacher, num_layers=1, init="random")
    distiller = tb.Distiller(
        student, [teacher, other], tb.prediction_losses(), teacher_weights=[3, 1]
    )
    x, _ = student.batches(SOURCES, TARGETS, shuffle=False, batch_size=6).batch(0, 0)
    np.testing.assert_allclose(
        distiller.run_teacher(x)["logits"],
        0.75 * logits_of(teacher, x) + 0.25 * logits_of(other, x),
        atol=1e-5,
    )


def test_untrained_teacher_is_refused(teacher):
    dev = teacher.batches(SOURCES, TARGETS, shuffle=False)
    assert check_on_dev(teacher, teacher, SOURCES, dev) == 1.0
    with pytest.raises(tb.TinyBertError, match="better than chance.*most frequent token"):
        tb.distill(make(), make(), SOURCES, TARGETS, validation_data=(SOURCES, TARGETS), verbose=0)


# === Students ===


def test_a_student_of_equal_depth_is_its_teacher(teacher):
    student = tb.student_of(teacher)
    x, _ = teacher.batches(SOURCES, TARGETS).batch(0, 0)
    np.testing.assert_allclose(logits_of(student, x), logits_of(teacher, x), atol=1e-5)


@pytest.mark.parametrize("arguments", [{"tie_output": False}, {"position_encoding": "sinusoidal"}])
def test_shared_words_and_other_heads_are_copied(arguments):
    model = make(None, **arguments)
    student = tb.student_of(model)
    x, _ = model.batches(SOURCES, SOURCES).batch(0, 0)
    np.testing.assert_allclose(logits_of(student, x), logits_of(model, x), atol=1e-6)
    assert student.count_params() == model.count_params()


def test_blocks_are_chosen_by_the_layer_map():
    model = make(num_layers=4)
    for layer_map, first, chosen in (("uniform", 1, [1, 3]), ("top", 2, [2, 3])):
        student = tb.student_of(model, num_layers=2, layer_map=layer_map)
        for own, index in zip(student.decoder.blocks, chosen, strict=True):
            for a, b in zip(
                own.get_weights(), model.decoder.blocks[index].get_weights(), strict=True
            ):
                np.testing.assert_allclose(a, b, atol=1e-7)
        block = student.backbone.encoder_blocks[0]
        other = model.backbone.encoder_blocks[first]
        np.testing.assert_allclose(block.get_weights()[0], other.get_weights()[0], atol=1e-7)


def test_decoder_blocks_are_counted_apart():
    model = make(num_layers=4, decoder_layers=2)
    assert tb.student_of(model, num_layers=3).decoder_layers == 2
    assert tb.student_of(model, num_layers=3, decoder_layers=1).decoder_layers == 1
    student = tb.student_of(model, init=make(num_layers=3).backbone)
    assert (student.backbone.num_layers, student.decoder_layers) == (3, 2)
    np.testing.assert_array_equal(
        student.decoder.token_embedding.get_weights()[0],
        model.decoder.token_embedding.get_weights()[0],
    )


# === Sequence level ===


@pytest.mark.extended
@pytest.mark.slow
def test_sequence_level_distillation(teacher, tmp_path):
    path = tmp_path / "folder" / "translations.jsonl"
    found = tb.teacher_translations(teacher, SOURCES, beams=2, path=path)
    assert found == TARGETS
    pairs = tb.read_parallel(path)
    assert (pairs.sources, pairs.targets) == (SOURCES, TARGETS)
    student = tb.student_of(teacher, num_layers=1)
    history = tb.finetune(
        student,
        SOURCES * 4,
        found * 4,
        validation_data=(SOURCES, TARGETS),
        epochs=20,
        learning_rate=1e-2,
        batch_size=8,
        keep_best=True,
        verbose=0,
    )
    assert student.generate(SOURCES) == TARGETS
    assert history["best_epoch"] > 0


def test_translations_that_are_kept_are_not_made_again(teacher, tmp_path):
    path = tmp_path / "translations.jsonl"
    tb.teacher_translations(teacher, SOURCES[:3], beams=1, path=path)
    rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    rows[0]["target"] = "kept"
    lines = [json.dumps(row, ensure_ascii=False) for row in rows]
    path.write_text("\n".join([*lines, lines[0][:20]]), "utf-8")  # killed while it wrote the 4th
    found = tb.teacher_translations(teacher, SOURCES, beams=1, path=path)
    assert found == ["kept", *TARGETS[1:]]
    assert tb.teacher_translations(teacher, SOURCES, beams=1, path=path) == found
    assert len(path.read_text("utf-8").splitlines()) == len(SOURCES)
    with pytest.raises(tb.TinyBertError, match=r"'beams': 1"):
        tb.teacher_translations(teacher, SOURCES, beams=2, path=path)
    with pytest.raises(tb.TinyBertError, match="with.*'teacher'"):
        tb.teacher_translations(make(), SOURCES, beams=1, path=path)
    with pytest.raises(tb.TinyBertError, match=r":1, 'one two'"):
        tb.teacher_translations(teacher, SOURCES[::-1], beams=1, path=path)
    path.write_text("[1]\n")
    with pytest.raises(tb.TinyBertError, match="source and target"):
        tb.teacher_translations(teacher, SOURCES, beams=1, path=path)


# === Errors ===


def other_targets():
    return make(WordPiece([*SPECIALS, *"一二三四五"]))


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (lambda t: tb.distill(t, make(), SOURCES), "Expected targets.*targets=None"),
        (lambda t: tb.Distiller(other_targets(), t), "token 5 is '一' in the student"),
        (
            lambda t: tb.Distiller(make(None, target_vocabulary_size=12), t),
            "one tokenizer|target_vocabulary_size=12 and 10",
        ),
        (lambda t: tb.Distiller(new_classifier(), t), "vocabulary_size=16 and 10"),
        (lambda t: tb.student_of(t, hidden_dim=8), "as wide as.*hidden_dim=8, the teacher's 16"),
        (lambda t: tb.student_of(t, decoder_layers=3), "decoder_layers=3"),
        (lambda t: make(purpose="poetry"), "purpose='poetry'"),
        (lambda t: tb.distill(t, make(), SOURCES, TARGETS[:2]), "6 sources, 2 targets"),
    ],
)
def test_errors(teacher, act, message):
    with pytest.raises(tb.TinyBertError, match=message):
        act(teacher)


# === Resuming ===


class Stop(keras.callbacks.Callback):
    """Kills a run in its second epoch."""

    def on_train_batch_begin(self, batch, logs=None):
        if int(self.model.optimizer.iterations) == 4:
            raise KeyboardInterrupt


@pytest.mark.slow
@pytest.mark.parametrize("how", ["distill", pytest.param("finetune", marks=pytest.mark.extended)])
def test_a_killed_run_goes_on(teacher, tmp_path, how):
    common = {"epochs": 2, "batch_size": 2, "verbose": 0}

    def train(name, **arguments):
        student = tb.student_of(teacher, num_layers=1)
        arguments = {**common, "run_dir": tmp_path / name, **arguments}
        if how == "finetune":
            return student, tb.finetune(student, SOURCES, TARGETS, **arguments)
        arguments["stages"] = "prediction"
        return student, tb.distill(teacher, student, SOURCES, TARGETS, **arguments)

    whole, history = train("whole")
    with pytest.raises(KeyboardInterrupt):
        train("stopped", callbacks=[Stop()])
    resumed, again = train("stopped")
    assert again == history
    for a, b in zip(whole.get_weights(), resumed.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
