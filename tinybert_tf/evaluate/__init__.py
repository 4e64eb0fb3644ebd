"""Metrics, reports, plots and comparisons of models; free of TensorFlow."""

from tinybert_tf.evaluate.calibration import (
    ReliabilityBins,
    brier_score,
    expected_calibration_error,
    negative_log_likelihood,
    reliability_bins,
)
from tinybert_tf.evaluate.comparison import Comparison, ComparisonRow
from tinybert_tf.evaluate.entities import (
    EntityReport,
    entity_spans,
    evaluate_entities,
    repair_bio,
    spans_to_entities,
)
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
from tinybert_tf.evaluate.out_of_scope import (
    OutOfScopeThreshold,
    choose_threshold,
    detect,
    evaluate_out_of_scope,
)
from tinybert_tf.evaluate.out_of_scope_report import OutOfScopeReport
from tinybert_tf.evaluate.plots import (
    plot_comparison,
    plot_confusion_matrix,
    plot_history,
    plot_reliability,
)
from tinybert_tf.evaluate.question_answering import (
    AnswerReport,
    AnswerScores,
    Prediction,
    decode_spans,
    evaluate_answers,
    exact_match,
    f1_score,
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
from tinybert_tf.evaluate.scope_scores import out_of_scope_scores

__all__ = [
    "AnswerReport",
    "AnswerScores",
    "ClassResult",
    "ClassScores",
    "ClassificationReport",
    "Comparison",
    "ComparisonRow",
    "ConfusedPair",
    "EntityReport",
    "Latency",
    "OutOfScopeReport",
    "OutOfScopeThreshold",
    "Prediction",
    "RegressionReport",
    "ReliabilityBins",
    "accuracy",
    "brier_score",
    "choose_threshold",
    "confusion_matrix",
    "decode_spans",
    "detect",
    "evaluate_answers",
    "entity_spans",
    "evaluate_classifier",
    "evaluate_entities",
    "evaluate_out_of_scope",
    "evaluate_probabilities",
    "evaluate_regressor",
    "evaluate_scores",
    "exact_match",
    "expected_calibration_error",
    "f1_score",
    "macro_f1",
    "matthews",
    "micro_f1",
    "multi_label_confusion",
    "negative_log_likelihood",
    "out_of_scope_scores",
    "plot_comparison",
    "plot_confusion_matrix",
    "plot_history",
    "plot_reliability",
    "precision_recall_f1",
    "reliability_bins",
    "repair_bio",
    "spans_to_entities",
    "time_calls",
    "weighted_f1",
]
