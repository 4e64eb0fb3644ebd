"""Metrics, reports, plots and comparisons of classifiers; free of TensorFlow."""

from tinybert_tf.evaluate.calibration import (
    ReliabilityBins,
    brier_score,
    expected_calibration_error,
    negative_log_likelihood,
    reliability_bins,
)
from tinybert_tf.evaluate.comparison import Comparison, ComparisonRow
from tinybert_tf.evaluate.latency import Latency, time_calls
from tinybert_tf.evaluate.metrics import (
    ClassScores,
    accuracy,
    confusion_matrix,
    macro_f1,
    matthews,
    micro_f1,
    multi_label_confusion,
    precision_recall_f1,
    weighted_f1,
)
from tinybert_tf.evaluate.plots import (
    plot_comparison,
    plot_confusion_matrix,
    plot_history,
    plot_reliability,
)
from tinybert_tf.evaluate.regression import (
    RegressionReport,
    evaluate_regressor,
    evaluate_scores,
)
from tinybert_tf.evaluate.report import (
    ClassificationReport,
    ClassResult,
    ConfusedPair,
    evaluate_classifier,
    evaluate_probabilities,
)

__all__ = [
    "ClassResult",
    "ClassScores",
    "ClassificationReport",
    "Comparison",
    "ComparisonRow",
    "ConfusedPair",
    "Latency",
    "RegressionReport",
    "ReliabilityBins",
    "accuracy",
    "brier_score",
    "confusion_matrix",
    "evaluate_classifier",
    "evaluate_probabilities",
    "evaluate_regressor",
    "evaluate_scores",
    "expected_calibration_error",
    "macro_f1",
    "matthews",
    "micro_f1",
    "multi_label_confusion",
    "negative_log_likelihood",
    "plot_comparison",
    "plot_confusion_matrix",
    "plot_history",
    "plot_reliability",
    "precision_recall_f1",
    "reliability_bins",
    "time_calls",
    "weighted_f1",
]
