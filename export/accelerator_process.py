"""Starts LiteRT's GPU accelerator in a process of its own, and reads its log.

Native code may crash, logs past Python, and finds its Vulkan driver by environment variables that
count only before it is loaded.
"""

import importlib.util
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tinybert_tf.errors import TinyBertError
from tinybert_tf.export.vulkan import (
    GpuUnavailable,
    VulkanDriver,
    missing_device,
    vulkan_drivers,
)

_REFUSALS = re.compile(
    r"operations are not supported by GPU delegate:\n(.*?)\n[^\n]*operations will run on the",
    re.DOTALL,
)
_REPEATED_NAME = re.compile(r"^(\w+): (?:\1: )?")
_DEVICE = re.compile(r"Selected adapter: ([^,\n]+)")
_NO_DEVICE = "No adapters found"
_NO_LOADER = "Couldn't load Vulkan"
# Errors of the runtime, and the errors and failed checks of the accelerator.
_LOGGED_ERRORS = (
    re.compile(r"^[EF]\d{4} [^\]]*\] (.*)", re.MULTILINE),
    re.compile(r"^ERROR: (?:\[[^\]]*\] )?(.+)", re.MULTILINE),
)
_CHATTER = re.compile(r"(INFO|WARNING|Warning|[IW]\d{4}\b)")
# What LiteRT raises when it does not find, or cannot compile, what the GPU should run.
_NOT_ACCELERATED = ("Some ops are not accelerated", "Failed to modify graph with delegate")


@dataclass(frozen=True)
class AcceleratorRun:
    """What the accelerator did with a file.

    Args:
        device: string. The Vulkan device.
        fully_accelerated: bool. Whether it takes every operator.
        refused: tuple of strings. What it does not take, as `"NAME: reason"`.
        runs: list of dicts. For each signature the `"gpu"` and `"cpu"` outputs, a list of rows;
            empty unless the file is fully accelerated.
    """

    device: str
    fully_accelerated: bool
    refused: tuple[str, ...]
    runs: list[dict[str, list]]


def run_accelerator(
    path: Path,
    inputs: dict[str, dict[str, np.ndarray]],
    outputs: dict[str, list[str]],
    float16: bool,
    time_limit: float,
) -> AcceleratorRun:
    """Compiles a file for the GPU alone and runs it there and on the CPU.

    Args:
        path: path. The file.
        inputs: dict. For each signature its inputs by name, `(rows, length)`.
        outputs: dict. For each signature the names of the outputs to read.
        float16: bool. Whether the GPU may compute in float16.
        time_limit: float. Seconds after which the process is killed.

    Raises:
        GpuUnavailable: If no driver has a device that the accelerator takes, or the accelerator
            is not in the wheel.
        TinyBertError: If it cannot read the file or run on the inputs, crashes or takes too long.
    """
    _check_library()
    request = {
        "model": str(path.resolve()),
        "float16": float16,
        "runs": [
            {
                "signature": key,
                "inputs": {name: rows.tolist() for name, rows in value.items()},
                "outputs": outputs[key],
            }
            for key, value in inputs.items()
        ],
    }
    tried = []
    for driver in vulkan_drivers():
        result, log = _ask_worker(request, driver, time_limit)
        if _NO_DEVICE not in log:
            return _read(path, result, log)
        tried.append(driver.name)
    cause = "; libvulkan.so.1 could not be loaded" if _NO_LOADER in log else ""
    raise missing_device(f"no device from {', nor from '.join(tried)}{cause}")


def _read(path: Path, result: dict, log: str) -> AcceleratorRun:
    refused = _refused(log)
    if result["error"] and any(text in result["error"] for text in _NOT_ACCELERATED):
        refused = refused or (f"the graph as a whole: {_cause(log)}",)
    elif result["error"]:
        raise TinyBertError(
            "Expected a file that LiteRT's GPU accelerator can run. "
            f"Received: {str(path)!r} ({' '.join(result['error'].split())}; {_cause(log)})"
        )
    device = _DEVICE.search(log)
    return AcceleratorRun(
        device[1] if device else "unknown device",
        result["fully_accelerated"] and not refused,
        refused,
        result["runs"],
    )


def _refused(log: str) -> tuple[str, ...]:
    """The refused operators that the log lists, each once, as `"NAME: reason"`."""
    lines = [line for part in _REFUSALS.findall(log) for line in part.split("\n")]
    return tuple(dict.fromkeys(_REPEATED_NAME.sub(r"\1: ", line).rstrip(": ") for line in lines))


def _cause(log: str) -> str:
    """The first error in the log, or its last lines that are no mere chatter."""
    for pattern in _LOGGED_ERRORS:
        found = pattern.search(log)
        if found:
            return found[1].strip()
    lines = [line.strip() for line in log.splitlines() if not _CHATTER.match(line)]
    return " / ".join([line for line in lines if line][-3:]) or "it logged no error"


def _ask_worker(request: dict, driver: VulkanDriver, time_limit: float) -> tuple[dict, str]:
    """Runs the worker once; returns its result and the log.

    Raises:
        TinyBertError: If it crashes or takes too long.
    """
    with tempfile.TemporaryDirectory(prefix="tinybert_tf-") as folder:
        result_path, log_path = Path(folder, "result.json"), Path(folder, "log.txt")
        # The Vulkan loader wants XDG_RUNTIME_DIR, which services and containers lack.
        environment = {"XDG_RUNTIME_DIR": folder, **os.environ, **driver.variables}
        command = [sys.executable, "-m", "tinybert_tf.export.accelerator_worker", str(result_path)]
        with open(log_path, "wb") as log_stream:
            try:
                status = subprocess.run(
                    command,
                    input=json.dumps(request).encode(),
                    stdout=log_stream,
                    stderr=subprocess.STDOUT,
                    env=environment,
                    timeout=time_limit,
                ).returncode
            except subprocess.TimeoutExpired as error:
                raise TinyBertError(
                    f"Expected an answer of the GPU accelerator within {time_limit:g} s; software "
                    "devices are slow: try fewer texts, a shorter signature, or time_limit. "
                    f"Received: path={request['model']!r}"
                ) from error
        log = log_path.read_text("utf-8", "replace")
        if status != 0 or not result_path.exists():
            raise TinyBertError(
                f"Expected the GPU accelerator to run. Received: {request['model']!r}; its "
                f"process {_ending(status)}: {_cause(log)}"
            )
        return json.loads(result_path.read_text("utf-8")), log


def _ending(status: int) -> str:
    if status >= 0:
        return f"ended with status {status}"
    try:
        return f"crashed ({signal.Signals(-status).name})"
    except ValueError:
        return f"crashed (signal {-status})"


def _check_library() -> None:
    """Checks that the installed wheel brings an accelerator.

    Raises:
        GpuUnavailable: If it does not.
    """
    spec = importlib.util.find_spec("ai_edge_litert")
    folders = [Path(folder) for folder in spec.submodule_search_locations]
    if not any(any(folder.glob("*Gpu*Accelerator*")) for folder in folders):
        raise GpuUnavailable(
            "Expected LiteRT's GPU accelerator in the ai-edge-litert wheel "
            "(libLiteRtWebGpuAccelerator.so, in its wheels for Linux x86-64). "
            f"Received: {', '.join(map(str, folders))} without it"
        )
