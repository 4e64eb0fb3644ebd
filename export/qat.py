"""Quantization-aware training: a classifier that computes with the numbers of its file."""

import keras

from tinybert_tf.errors import TinyBertError
from tinybert_tf.export.weights import check_finite
from tinybert_tf.layers.quantized.activation_quantizer import ActivationQuantizer
from tinybert_tf.models import TinyBertBackbone
from tinybert_tf.models.task import TinyBertTask
from tinybert_tf.quantization.schemes import find_scheme

# Batches that calibration averages ranges over, and their size.
_BATCHES, _BATCH_SIZE = 16, 32
_KERAS_LAYERS = (
    keras.layers.InputLayer,
    keras.layers.Dense,
    keras.layers.Dropout,
    keras.layers.Embedding,
    keras.layers.LayerNormalization,
)


def quantize_aware(
    classifier: TinyBertTask,
    scheme: str = "dynamic_int8",
    calibration_texts=None,
    calibration_labels=None,
    dropout: float = 0.0,
    seed: int = 0,
) -> TinyBertTask:
    """Returns a copy of a classifier that trains, and predicts, with quantized numbers.

    Forward passes round weights (and activations, as the scheme says) to the grids of the
    exported file; gradients pass straight through (Jacob et al. 2018). The copy is an ordinary
    model of the same class: `fit`, `tb.finetune`, `tb.distill` and `Distiller` train it, it
    saves and loads. Without any training it is post-training quantization.

    Args:
        classifier: TinyBertTextClassifier. Left as it is.
        scheme: string. `"dynamic_int8"`, `"dynamic_int8_int4_embedding"`, `"int4_weights"`,
            `"per_tensor_int8"`, `"weight_only_int8"`, `"weight_only_int8_int4_embedding"` or
            `"static_int8"`. Defaults to `"dynamic_int8"`.
        calibration_texts: list of strings, or a tuple of two such lists. A few hundred training
            texts, from which `"static_int8"` sets its first activation ranges. Defaults to
            `None`.
        calibration_labels: list. Their labels, checked to be of more than one class. Defaults to
            `None`: not checked.
        dropout: float. Dropout rate of the copy. Quantization is noise enough. Defaults to `0.0`.
        seed: int. Which texts calibrate, when there are more than 512. Defaults to `0`.

    Returns:
        TinyBertTextClassifier in float32. Under `"per_tensor_int8"`, a student with GELU gets its
        tanh form, which NNAPI can compute; outputs move by less than 1e-3.

    Raises:
        TinyBertError: If the model has a layer of an unknown kind, is quantization-aware already,
            holds NaN, or calibration data is missing or of one class.

    Example:
        >>> qat = quantize_aware(student, "dynamic_int8")
        >>> tb.distill(teacher, qat, train_texts, stages="prediction", epochs=1)
        >>> to_tflite(qat, "model.tflite", target="universal")
    """
    found = find_scheme(scheme)
    _check_model(classifier, scheme)
    if found.integer_activations:
        _check_calibration(scheme, calibration_texts, calibration_labels)
    config = classifier.backbone.get_config()
    config.update(quantization=scheme, dropout=dropout, attention_dropout=dropout, dtype="float32")
    if scheme == "per_tensor_int8" and config["activation"] == "gelu":
        config["activation"] = "gelu_tanh"
    head = {"dropout": dropout} if hasattr(classifier, "output_dropout") else {}
    copy = classifier.on_backbone(TinyBertBackbone.from_config(config), **head)
    copy_weights(classifier, copy)
    if found.integer_activations:
        _calibrate(copy, calibration_texts, seed)
    return copy


def copy_weights(source: TinyBertTask, target: TinyBertTask) -> None:
    """Copies what both models have by path; the quantizers' own weights stay."""
    own = {variable.path: variable for variable in target.weights}
    for variable in source.weights:
        if "seed_generator" not in variable.path:
            own[variable.path].assign(variable.value)


def _check_model(classifier, scheme: str) -> None:
    check_supported(classifier)
    if classifier.backbone.quantization is not None:
        raise TinyBertError(
            "Expected a classifier that is not quantization-aware yet. Received: "
            f"quantization={classifier.backbone.quantization!r}"
        )
    check_finite(classifier)
    if classifier.kind == "embedding" and find_scheme(scheme).integer_activations:
        raise TinyBertError(
            "Expected a scheme with float activations for a sentence embedder; target 'npu_int8' "
            f"has none. Received: scheme={scheme!r}, kind='embedding'"
        )


def check_supported(classifier: TinyBertTask) -> None:
    """Refuses what is no task model, and layers that have no quantized form and no lowering.

    Raises:
        TinyBertError: Naming the type, or the layers.
    """
    if not isinstance(classifier, TinyBertTask):
        raise TinyBertError(
            "Expected a TinyBertTextClassifier, or another task model of tinybert_tf. "
            f"Received: classifier={type(classifier).__name__}"
        )
    strange = [
        f"{layer.path} ({type(layer).__name__})"
        for layer in classifier._flatten_layers(include_self=False)
        if not _is_known(layer)
    ]
    if strange:
        raise TinyBertError(
            "Expected layers of tinybert_tf, each of which has a quantized form and a lowering. "
            f"Received: {', '.join(strange)}"
        )


def _is_known(layer: keras.layers.Layer) -> bool:
    changed = getattr(layer, "lora_enabled", False) or getattr(layer, "quantization_mode", None)
    ours = type(layer).__module__.startswith("tinybert_tf.")
    return not changed and (ours or type(layer) in _KERAS_LAYERS)


def _check_calibration(scheme: str, texts, labels) -> None:
    parts = texts if isinstance(texts, tuple) else (texts,)
    if texts is None or not len(parts[0]):
        raise TinyBertError(
            f"Expected training texts for {scheme!r} (calibration_texts=, texts= of to_tflite, "
            "--texts): a few hundred, which set the ranges of its int8 activations. "
            f"Received: {texts!r}"
        )
    if labels is not None and len({str(label) for label in labels}) < 2:
        raise TinyBertError(
            "Expected calibration texts of at least two classes: the ranges of one do not hold "
            f"for the others. Received: {len(labels)} texts, all {labels[0]!r}"
        )


def _calibrate(classifier: TinyBertTask, texts, seed: int) -> None:
    """Sets every activation range to the mean range of up to 16 batches."""
    batches = classifier.batches(texts, batch_size=_BATCH_SIZE, seed=seed)
    quantizers = [
        layer for layer in classifier._flatten_layers() if isinstance(layer, ActivationQuantizer)
    ]
    for quantizer in quantizers:
        quantizer.watch(True)
    try:
        for step in range(min(_BATCHES, len(batches))):
            classifier(batches.batch(0, step)[0], training=False)
    finally:
        for quantizer in quantizers:
            quantizer.watch(False)
