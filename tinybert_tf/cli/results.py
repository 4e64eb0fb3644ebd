"""The results of a training run: scored, drawn and printed."""

from tinybert_tf.cli.console import duration, hint, out, pairs_table, say
from tinybert_tf.cli.data import Split, inputs
from tinybert_tf.runs import Run


def dev_results(classifier, split: Split) -> dict | None:
    """Scores a classifier on the development data; `None` if there is none."""
    if split.validation_data is None:
        return None
    from tinybert_tf.evaluate import evaluate_classifier

    report = evaluate_classifier(classifier, inputs(split.dev), split.dev.labels)
    return {"examples": report.num_examples, **report.summary()}


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
    metrics = run.metrics()
    dev, teacher, plain = (metrics.get(name) or {} for name in ("dev", "teacher_dev", "float_dev"))
    pairs = {
        "classes": len(metrics["labels"]),
        "parameters": f"{metrics['parameters']:,}",
        "teacher's dev accuracy": percent(teacher.get("accuracy")),
        "float student's dev accuracy": percent(plain.get("accuracy")),
        "dev accuracy": percent(dev.get("accuracy")),
        "dev macro F1": percent(dev.get("macro_f1")),
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


def percent(value: float | None) -> str | None:
    """Writes a share as a percentage."""
    return None if value is None else f"{100 * value:.2f} %"
