"""Runs both signatures of a sequence-to-sequence file on LiteRT's GPU accelerator and on its CPU.

`python seq2seq_on_gpu.py FILE` is the process that does it and prints the largest differences;
`differences` starts it with a Vulkan driver, which counts only before the library is loaded.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np

from tinybert_tf.export.vulkan import missing_device, vulkan_drivers

STEPS = 4


def differences(path) -> dict[str, float]:
    """The largest difference between GPU and CPU over all outputs of each signature.

    Raises:
        GpuUnavailable: If there is no Vulkan device that the accelerator takes.
    """
    for driver in vulkan_drivers():
        environment = {"XDG_RUNTIME_DIR": str(Path(path).parent), **os.environ, **driver.variables}
        done = subprocess.run(
            [sys.executable, __file__, str(path)], env=environment, capture_output=True, text=True
        )
        if "No adapters found" not in done.stdout + done.stderr:
            assert done.returncode == 0, done.stderr
            return json.loads(done.stdout.splitlines()[-1])
    raise missing_device("no device from any driver")


def main(path: str) -> None:
    from ai_edge_litert.compiled_model import (
        CompiledModel,
        GpuOptions,
        HardwareAccelerator,
        Options,
    )

    from tinybert_tf.export.seq2seq_runner import TFLiteSeq2Seq

    options = Options(
        hardware_accelerators=HardwareAccelerator.GPU, gpu_options=GpuOptions(enforce_f32=True)
    )
    model = CompiledModel.from_file(path, options=options)  # raises where an operator is refused
    assert model.is_fully_accelerated()

    def run(signature, **inputs):
        details = model.get_output_tensor_details(signature)
        outputs = {name: model.create_output_buffer_by_name(signature, name) for name in details}
        buffers = {name: model.create_input_buffer_by_name(signature, name) for name in inputs}
        for name, buffer in buffers.items():
            buffer.write(inputs[name])
        model.run_by_name(signature, buffers, outputs)
        shapes = {name: details[name]["shape"] for name in details}
        return {
            name: outputs[name].read(int(np.prod(shape)), np.float32).reshape(shape)
            for name, shape in shapes.items()
        }

    file = TFLiteSeq2Seq(path)
    ids, mask, segment_ids = np.zeros((3, 1, file.sequence_length), "int32")
    ids[0, :5], mask[0, :5] = [2, 6, 5, 7, 3], 1
    source = file.encode(ids[0, :5])
    on_gpu = run("encode", ids=ids, mask=mask, segment_ids=segment_ids)
    found = {"encode": max(np.abs(on_gpu[name] - source[name]).max() for name in on_gpu)}
    caches = gpu_caches = file.empty_caches()
    token, found["decode"] = file.begin_id, 0.0
    for position in range(STEPS):
        inputs = {
            name: np.array([[value]], "int32")
            for name, value in (("id", token), ("position", position))
        }
        gpu_caches = run("decode", **inputs, mask=mask, **on_gpu, **gpu_caches)
        gpu_logits = gpu_caches.pop("logits")[0]
        logits, caches = file.step(token, position, source, caches)
        pairs = [(gpu_logits, logits), *((gpu_caches[name], caches[name]) for name in caches)]
        found["decode"] = max(found["decode"], *(np.abs(a - b).max() for a, b in pairs))
        token = int(logits.argmax())
    print(json.dumps({name: float(value) for name, value in found.items()}))


if __name__ == "__main__":
    main(sys.argv[1])
