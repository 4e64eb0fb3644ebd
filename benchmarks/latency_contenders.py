"""The contenders of latency.py: files to make, and calls to time in processes of their own."""

import os
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from tinybert_tf.errors import TinyBertError
from tinybert_tf.evaluate.side_by_side import timed

# Calls of a turn that are not counted: they bring weights back into the caches.
_SETTLE = 3


@dataclass(frozen=True)
class Contender:
    """One way to run a text classifier.

    Args:
        name: string. Its row in the table.
        kind: string. `"tflite"`, `"onnx"` or `"torch"`.
        path: path. File, or Hugging Face folder for `"torch"`.
        tolerance: float or None. How far its probabilities may be from PyTorch's float32;
            `None` if it has other weights.
    """

    name: str
    kind: str
    path: Path
    tolerance: float | None = None


def example(length: int, vocabulary_size: int = 30522) -> dict[str, np.ndarray]:
    """One unpadded row of random token ids, by the names of Hugging Face."""
    ids = np.random.default_rng(length).integers(1000, vocabulary_size, (1, length))
    return {
        "input_ids": ids,
        "attention_mask": np.ones_like(ids),
        "token_type_ids": np.zeros_like(ids),
    }


# === Calls: inputs in, probabilities out ===
def open_call(contender: Contender, length: int, threads: int) -> Callable[[], np.ndarray]:
    """Loads a contender and returns what is timed."""
    opener = {"tflite": _tflite, "onnx": _onnx, "torch": _torch}[contender.kind]
    return opener(contender.path, example(length), threads)


def _tflite(path: Path, inputs: dict, threads: int):
    from tinybert_tf.export.file_call import FileCall, entries
    from tinybert_tf.export.model_file import read_model_file

    length = inputs["input_ids"].shape[1]
    fitting = [e for e in entries(read_model_file(path)) if e.sequence_length == length]
    if not fitting:
        raise TinyBertError(f"Expected a file for {length} tokens. Received: {str(path)!r}")
    named = dict(zip(("ids", "mask", "segment_ids"), inputs.values(), strict=True))
    call = FileCall(path, fitting[0], threads, named)
    return lambda: next(iter(call().values()))[0]


def _onnx(path: Path, inputs: dict, threads: int):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return lambda: softmax(session.run(None, inputs)[0][0])


def _torch(path: Path, inputs: dict, threads: int):
    import torch

    torch.set_num_threads(threads)
    torch.set_num_interop_threads(1)
    model = load_torch(path, "sdpa")
    tensors = {name: torch.from_numpy(value) for name, value in inputs.items()}

    def call() -> np.ndarray:
        with torch.inference_mode():
            return softmax(model(**tensors).logits[0].numpy())

    return call


def load_torch(path: Path, attention: str):
    """A `BertForSequenceClassification` in evaluation mode."""
    from transformers import BertForSequenceClassification

    _quiet_transformers()
    model = BertForSequenceClassification.from_pretrained(path, attn_implementation=attention)
    return model.eval()


def _quiet_transformers() -> None:
    from transformers.utils import logging

    logging.disable_progress_bar()
    logging.set_verbosity_error()


def softmax(logits: np.ndarray) -> np.ndarray:
    """Probabilities of a vector of logits."""
    powers = np.exp(logits - logits.max())
    return powers / powers.sum()


# === A process each: the thread pools of one never wait on a core that another needs ===
class Worker:
    """A contender in a process of its own, asleep until it has its turn.

    Args:
        contender: Contender.
        length: int. Tokens.
        threads: int. Threads of its runtime.
        realtime: bool. Whether it is scheduled before all ordinary processes.
    """

    def __init__(self, contender: Contender, length: int, threads: int, realtime: bool = False):
        context = get_context("spawn")
        self._pipe, other = context.Pipe()
        self._process = context.Process(
            target=_serve, args=(other, contender, length, threads, realtime), daemon=True
        )
        self._process.start()
        other.close()
        self.probabilities = self._answer()

    def turn(self, calls: int) -> list[float]:
        """Milliseconds of each of some calls, after a few that are not counted."""
        self._pipe.send(calls)
        return self._answer()

    def close(self) -> None:
        """Ends the process."""
        self._pipe.send(None)
        self._process.join()

    def _answer(self):
        answer = self._pipe.recv()
        if isinstance(answer, Exception):
            raise answer
        return answer


def _serve(pipe, contender: Contender, length: int, threads: int, realtime: bool) -> None:
    warnings.simplefilter("ignore")
    try:
        if realtime:  # inherited by the threads that the runtime starts
            os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
        call = open_call(contender, length, threads)
        pipe.send(call())
    except Exception as error:
        pipe.send(TinyBertError(f"{contender.name}: {type(error).__name__}: {error}"))
        return
    turn = timed(call, settle=_SETTLE)
    while (calls := pipe.recv()) is not None:
        pipe.send(turn(calls))


# === Files ===
def write_student(architecture: str, lengths: list[int], folder: Path) -> dict[str, Path]:
    """Writes a classifier of random weights as a Hugging Face folder and as .tflite files.

    Every weight is random, biases and LayerNorms' too: converters drop those that are 0 or 1.

    Returns:
        Dict of `"hf"`, and `"TARGET LENGTH"` for each file, to path.
    """
    from tinybert_tf.quiet import start_tensorflow

    start_tensorflow()
    import tinybert_tf as tb
    from tinybert_tf import export
    from tinybert_tf.checkpoints import save_hf
    from tinybert_tf.config import architecture as shape_of

    backbone = tb.TinyBertBackbone(vocabulary_size=30522, **shape_of(architecture))
    classifier = tb.TinyBertTextClassifier(backbone, labels=["negative", "positive"])
    generator = np.random.default_rng(0)
    for variable in classifier.trainable_weights:
        noise = generator.normal(size=variable.shape, scale=0.05)
        variable.assign(noise + variable.path.endswith("gamma"))
    paths = {"hf": save_hf(classifier, folder / "student")}
    for length in lengths:
        for target in ("universal", "float32"):
            path = folder / f"{target}_{length}.tflite"
            export.to_tflite(
                classifier, path, target=target, sequence_length=length, metadata=False
            )
            paths[f"{target} {length}"] = path
    return paths


def write_base(folder: Path) -> Path:
    """Writes a BERT-base of random weights as a Hugging Face folder."""
    import torch
    from transformers import BertConfig, BertForSequenceClassification

    _quiet_transformers()
    torch.manual_seed(0)
    BertForSequenceClassification(BertConfig()).save_pretrained(folder / "bert_base")
    return folder / "bert_base"


def write_onnx(hf: Path, length: int, folder: Path) -> dict[str, Path]:
    """Exports a Hugging Face folder to ONNX: float32, fused, and int8 in several ways.

    The attention is exported in its plain form and by the TorchScript exporter, which is what
    ONNX Runtime's transformer optimizer recognizes: it then fuses attention, GELU and LayerNorm.

    Returns:
        Dict of a description to path.
    """
    import torch
    from onnxruntime.transformers import optimizer

    model = load_torch(hf, "eager")
    config = model.config
    tensors = {name: torch.from_numpy(value) for name, value in example(length).items()}
    plain = folder / f"plain_{length}.onnx"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            model,
            tuple(tensors.values()),
            plain,
            input_names=list(tensors),
            output_names=["logits"],
            dynamo=False,
            opset_version=17,
        )
    fused = optimizer.optimize_model(
        str(plain),
        model_type="bert",
        num_heads=config.num_attention_heads,
        hidden_size=config.hidden_size,
        opt_level=0,  # ONNX Runtime's own passes before it would hide the attention
    )
    statistics = fused.get_fused_operator_statistics()
    if statistics["Attention"] != config.num_hidden_layers:
        raise TinyBertError(f"Expected every attention to be fused. Received: {statistics}")
    fused_path = folder / f"fused_{length}.onnx"
    fused.save_model_to_file(str(fused_path))
    paths = {"float32, fused": fused_path}
    for form, source in (("fused", fused_path), ("plain", plain)):
        for per_channel in (False, True):
            scales = "per channel" if per_channel else "per tensor"
            path = folder / f"int8_{form}_{scales.replace(' ', '_')}_{length}.onnx"
            _quantize(source, path, per_channel)
            paths[f"int8, {form}, {scales}"] = path
    return paths


def _quantize(source: Path, target: Path, per_channel: bool) -> None:
    import logging

    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic

    logging.disable(logging.WARNING)
    quantize_dynamic(
        source,
        target,
        weight_type=QuantType.QInt8,
        per_channel=per_channel,
        # Types behind the fused operators, which ONNX's shape inference does not know.
        extra_options={"DefaultTensorType": onnx.TensorProto.FLOAT},
    )
    logging.disable(logging.NOTSET)
