"""Runs a file on LiteRT's GPU accelerator and on its CPU, in a process of its own.

`python -m tinybert_tf.export.accelerator_worker RESULT` reads a request from standard input and
writes the file RESULT, both JSON; the native libraries log to standard output and error. The parent
sets the variables that choose the Vulkan device: they count only before the libraries are loaded.

request: `{"model": path, "float16": bool, "runs": [{"signature": key, "inputs": {name: rows},
"outputs": [name]}]}`
result: `{"fully_accelerated": bool, "runs": [{"gpu": rows, "cpu": rows}], "error": text or null}`
"""

import json
import sys
from pathlib import Path

import numpy as np
from ai_edge_litert.compiled_model import (
    CompiledModel,
    Environment,
    GpuOptions,
    HardwareAccelerator,
    Options,
)
from ai_edge_litert.interpreter import Interpreter


def main(result_path: Path) -> None:
    """Answers a request; what LiteRT raises becomes the result's error."""
    request = json.load(sys.stdin)
    result = {"fully_accelerated": False, "runs": [], "error": None}
    try:
        model = _compile(request["model"], request["float16"])
        result["fully_accelerated"] = model.is_fully_accelerated()
        if result["fully_accelerated"]:
            interpreter = Interpreter(model_path=request["model"], num_threads=1)
            for run in request["runs"]:
                inputs = {n: np.array(v, "int32") for n, v in run["inputs"].items()}
                # The CPU first: it checks that the ids lie inside the word table.
                cpu = _run_on_cpu(interpreter, run["signature"], inputs, run["outputs"])
                gpu = _run_on_gpu(model, run["signature"], inputs, run["outputs"])
                result["runs"].append({"cpu": cpu, "gpu": gpu})
    except (RuntimeError, ValueError) as error:
        result["error"] = str(error)
    result_path.write_text(json.dumps(result), "utf-8")


def _compile(path: str, float16: bool) -> CompiledModel:
    """Compiles for the GPU alone: without the CPU to fall back to, a refused operator raises."""
    # A folder without plugins keeps LiteRT from compiling for an NPU that the machine may have.
    plugins = str(Path(__file__).parent)
    environment = Environment.create(compiler_plugin_path=plugins, dispatch_library_path=plugins)
    options = Options(
        hardware_accelerators=HardwareAccelerator.GPU,
        gpu_options=GpuOptions(enforce_f32=not float16),
    )
    return CompiledModel.from_file(path, environment=environment, options=options)


def _run_on_gpu(model: CompiledModel, signature: str, inputs: dict, names: list) -> list[list]:
    """A row for each input: its outputs by `names`, one after the other."""
    details = model.get_output_tensor_details(signature)
    sizes = {name: int(np.prod(details[name]["shape"])) for name in names}
    buffers = {key: model.create_input_buffer_by_name(signature, key) for key in inputs}
    outputs = {name: model.create_output_buffer_by_name(signature, name) for name in names}
    rows = []
    for index in range(len(inputs["ids"])):
        for key, buffer in buffers.items():
            buffer.write(inputs[key][index : index + 1])
        model.run_by_name(signature, buffers, outputs)
        found = [outputs[name].read(size, np.float32) for name, size in sizes.items()]
        rows.append(np.concatenate(found).tolist())
    return rows


def _run_on_cpu(interpreter: Interpreter, signature: str, inputs: dict, names: list) -> list[list]:
    run = interpreter.get_signature_runner(signature)
    rows = []
    for index in range(len(inputs["ids"])):
        row = {key: value[index : index + 1] for key, value in inputs.items()}
        found = run(**row)
        rows.append(np.concatenate([found[name].ravel() for name in names]).tolist())
    return rows


if __name__ == "__main__":
    main(Path(sys.argv[1]))
