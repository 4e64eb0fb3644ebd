"""What must hold before hours are spent on imitation."""

import numpy as np

from tinybert_tf.errors import TinyBertError
from tinybert_tf.evaluate.regression import evaluate_scores


def check_on_dev(teacher, student, examples, batches) -> float | None:
    """Checks that a teacher is worth imitating, as its kind of logits allows.

    Args:
        teacher: a task model of ours.
        student: a task model of ours, for its label names.
        examples: raw examples of dev.
        batches: the student's batches of dev, with labels.

    Returns:
        Its accuracy, or of a regression Spearman's correlation; `None` where there is nothing to
        compare.

    Raises:
        TinyBertError: If it does no better than chance.
    """
    if not hasattr(teacher, "kind"):  # an encoder alone
        return None
    if student.kind == "seq2seq":
        return check_seq2seq(teacher, batches)
    labels = batches.labels
    if labels is None:
        return None
    if student.kind == "score":
        return check_regression_teacher(teacher.predict(examples, verbose=0), labels)
    if student.kind in ("classes", "labels"):
        return check_teacher(
            teacher.predict_proba(examples), labels, student.labels, student.kind == "labels"
        )
    if student.kind == "tokens":
        return check_tagger(teacher.predict_batches(batches), labels)
    if student.kind == "spans":
        return check_span_model(teacher.predict_batches(batches), labels)
    return None


def check_tagger(logits: list[np.ndarray], labels: list[np.ndarray]) -> float:
    """Checks that a tagger finds more than the most frequent tag explains.

    Args:
        logits: list of float arrays `(length, tags)`.
        labels: list of int arrays `(length,)`, negative where no tag counts.

    Returns:
        Accuracy of the tags.

    Raises:
        TinyBertError: If it is no better than always answering the most frequent tag.
    """
    gold = np.concatenate(labels)
    found = np.concatenate([row.argmax(axis=-1) for row in logits])
    return _check_tokens(found, gold, "fine-tune it first, or put its tag order right", "tag")


def check_seq2seq(teacher, batches) -> float:
    """Checks that a decoder predicts more next tokens than the most frequent one explains.

    Args:
        teacher: `TinyBertSeq2Seq`.
        batches: `PairBatches` of dev.

    Returns:
        Accuracy of the next tokens.

    Raises:
        TinyBertError: If it is no better than always answering the most frequent token.
    """
    found, gold = [], []
    for step in range(len(batches)):
        features, labels, *_ = batches.batch(0, step)
        found.append(np.asarray(teacher.predict_on_batch(features)).argmax(axis=-1).ravel())
        gold.append(labels.ravel())
    return _check_tokens(np.concatenate(found), np.concatenate(gold), "fine-tune it first", "token")


def _check_tokens(found: np.ndarray, gold: np.ndarray, advice: str, called: str) -> float:
    """The accuracy where a gold label is not negative."""
    found, gold = found[gold >= 0], gold[gold >= 0]
    if not len(gold):
        return 0.0
    score, chance = float(np.mean(found == gold)), float(np.bincount(gold).max() / len(gold))
    if score > chance or score == 1.0:
        return score
    raise TinyBertError(
        f"Expected a teacher that is better than chance on the validation data; {advice}. "
        f"Received: accuracy={score:.3f}, always answering the most frequent {called} scores "
        f"{chance:.3f}"
    )


def check_span_model(logits: list[np.ndarray], labels: np.ndarray) -> float:
    """Checks that a span model finds some of the answers.

    Args:
        logits: list of float arrays `(length, 2)`.
        labels: int `(n, 2)`. First and last token of each answer.

    Returns:
        Share of the answers whose start and end are found.

    Raises:
        TinyBertError: If none is found.
    """
    found = np.array([row.argmax(axis=0) for row in logits])
    answered = labels.any(axis=1)  # the others are windows without the answer
    if not answered.any():
        return 0.0
    score = float(np.mean((found == labels).all(axis=1)[answered]))
    if score > 0:
        return score
    raise TinyBertError(
        "Expected a teacher that answers some of the validation questions; fine-tune it first. "
        f"Received: none of {len(labels)} spans right"
    )


def check_teacher(
    probabilities: np.ndarray, labels: np.ndarray, names: list[str], multi_label: bool = False
) -> float:
    """Checks that a teacher beats chance on dev.

    A teacher whose label order was mixed up scores below chance, and its student learns the
    mix-up: in one published case MNLI stood at 43 % until the order was put right.

    Args:
        probabilities: float `(n, classes)`. The teacher's, on dev.
        labels: int `(n,)`, or multi-hot `(n, classes)`.
        names: list of strings. The class names.
        multi_label: bool. Defaults to `False`.

    Returns:
        The teacher's dev accuracy (multi-label: the share of right decisions).

    Raises:
        TinyBertError: If it is no better than always answering the most frequent class.
    """
    if multi_label:
        score = float(np.mean((probabilities >= 0.5) == (labels >= 0.5)))
        share = labels.mean(axis=0)
        chance = float(np.mean(np.maximum(share, 1.0 - share)))
    else:
        predicted = probabilities.argmax(axis=-1)
        score = float(np.mean(predicted == labels))
        chance = float(np.bincount(labels).max() / len(labels))
    if score > chance or score == 1.0:
        return score
    raise TinyBertError(
        "Expected a teacher that is better than chance on the validation data; fine-tune it first"
        f"{_order_hint(probabilities, labels, names, multi_label)}. Received: accuracy="
        f"{score:.3f}, always answering the most frequent class scores {chance:.3f}"
    )


def check_regression_teacher(scores: np.ndarray, labels: np.ndarray) -> float:
    """Checks that a teacher's scores rise with the gold ones on dev.

    Args:
        scores: float `(n, 1)`. The teacher's.
        labels: float `(n, 1)`.

    Returns:
        Spearman's correlation.

    Raises:
        TinyBertError: If it is not above 0.
    """
    found = evaluate_scores(scores, labels).spearman
    if found > 0:
        return found
    raise TinyBertError(
        "Expected a teacher whose scores rise with the gold ones on the validation data; fine-tune "
        f"it first. Received: Spearman correlation={found:.3f}"
    )


def _order_hint(probabilities, labels, names, multi_label) -> str:
    """Names the class that the teacher calls each label, if that is a clean exchange."""
    if multi_label:
        return ""
    predicted = probabilities.argmax(axis=-1)
    size = len(names)
    counts = np.zeros((size, size), int)
    np.add.at(counts, (labels, predicted), 1)
    present = [row for row in range(size) if counts[row].sum()]
    answers = [int(counts[row].argmax()) for row in present]
    share = sum(counts[row].max() for row in present) / max(len(labels), 1)
    if len(set(answers)) < len(answers) or answers == present or share < 0.6:
        return ""
    pairs = ", ".join(
        f"{names[row]!r} is called {names[answer]!r}"
        for row, answer in zip(present, answers, strict=True)
        if row != answer
    )
    return f", or put its label order right ({pairs})"
