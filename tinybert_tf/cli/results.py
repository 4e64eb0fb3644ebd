"""The results of a training run: scored, drawn and printed."""

from tinybert_tf.cli.console import duration, hint, out, pairs_table, say
from tinybert_tf.cli.data import Split
from tinybert_tf.runs import Run


def dev_results(model, split: Split) -> dict | None:
    """Scores a model on the development data; `None` if there is none."""
    if split.dev is None or split.dev.labels is None:
        return None
    from tinybert_tf.evaluate.tasks import evaluate_model

    report = evaluate_model(model, split.dev.inputs, split.dev.labels)
    return {"examples": len(split.dev), **report.summary()}


def draw_history(run: Run, history: dict) -> None:
    """Draws the history into the run folder, if matplotlib is installed."""
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        return
    from tinybert_tf.evaluate import plot_history

    plot_history(history, run.folder / "plots" / "history.png")


def show_finished(run: Run) -> None:
    """Says that the very same run stands there already, with its results."""
    say("this run has finished already, with the same data and settings; nothing to do")
    show_results(run)
    hint("--overwrite runs it again")


def show_results(run: Run) -> None:
    """Prints the closing table of a run."""
    from tinybert_tf.evaluate.tasks import MAIN_SCORES

    metrics = run.metrics()
    dev, teacher, plain = (metrics.get(name) or {} for name in ("dev", "teacher_dev", "float_dev"))
    kind = metrics.get("kind", "classes")
    attribute, called = MAIN_SCORES[kind]
    labels = metrics.get("labels")
    pairs = {
        "classes": len(labels) if labels else None,
        "parameters": f"{metrics['parameters']:,}",
        f"teacher's dev {called}": shown(kind, teacher.get(attribute)),
        f"float student's dev {called}": shown(kind, plain.get(attribute)),
        f"dev {called}": shown(kind, dev.get(attribute)),
        "dev BLEU": shown(kind, dev.get("bleu")),
        "dev macro F1": percent(dev.get("macro_f1")),
        "dev exact match": percent(dev.get("exact")),
        "best epoch": best_epoch(metrics.get("history") or {}),
        "training time": duration(metrics["seconds"]),
        "run folder": run.folder,
    }
    out.print(pairs_table("results", pairs))


def best_epoch(history: dict) -> str | None:
    """The epoch that was kept, if the run kept the best."""
    for found in (history, *(part for part in history.values() if isinstance(part, dict))):
        if "best_epoch" in found:
            return str(found["best_epoch"] or "0 (the start)")
    return None


def shown(kind: str, value: float | None) -> str | None:
    """Writes a score: BLEU and chrF run from 0 to 100, all others are shares."""
    if kind != "translation":
        return percent(value)
    return None if value is None else f"{value:.1f}"


def percent(value: float | None) -> str | None:
    """Writes a share as a percentage."""
    return None if value is None else f"{100 * value:.2f} %"
