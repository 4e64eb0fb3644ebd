"""How fast exported files are beside ONNX Runtime and PyTorch: RESULTS.md's latency table.

    pip install -e '.[benchmark]'
    python benchmarks/latency.py [FILE...] --out DIR [--lengths 128,32] [--threads 2] [--realtime]

Compares .tflite files, or without FILE those made on the spot from random weights of one
architecture, with the same weights in ONNX Runtime (int8: fused by its transformer optimizer or
not, scales per tensor or per channel) and in PyTorch, and with a BERT-base of random weights in
PyTorch. Speed depends on shapes, not on what the weights were trained for. Before anything is
timed, the probabilities of all contenders of the same weights are compared.

Method: every contender has a process of its own with `--threads` threads, in its runtime's default
settings. They take turns in a random order, round by round; the others sleep meanwhile, and a pause
before each turn lets their threads stop spinning. A turn is a few calls that are not counted, then
timed ones. Ratios are medians of the rounds' ratios; "of minima" compares the fastest calls, which
a busy machine disturbs least. "alone" is a check: the median when no other contender's process
exists. Writes results.json and results.md to the output folder.

Where other work cannot be stopped, --realtime schedules the contenders before it (on Linux, by the
superuser). Without it a busy machine distorts the ratios, PyTorch's most of all: its threads wait
for each other by spinning.
"""

import datetime
import json
import os
import platform
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

import command_line
import numpy as np
from latency_contenders import Contender, Worker, write_base, write_onnx, write_student

from tinybert_tf.atomic import atomic_file
from tinybert_tf.errors import TinyBertError
from tinybert_tf.evaluate.side_by_side import Timing, take_turns

PACKAGES = ("ai-edge-litert", "onnxruntime", "onnx", "torch", "transformers", "tensorflow", "numpy")
# Largest difference of a probability to PyTorch's float32.
FLOAT, INTEGER = 1e-4, 0.1


def main() -> None:
    parser = command_line.parser(__doc__, out=True)
    parser.add_argument("files", nargs="*", type=Path, help="the first is compared with all")
    parser.add_argument("--lengths", type=_numbers, default=[128, 32])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--calls", type=int, default=10, help="timed calls a turn, at most")
    parser.add_argument("--pause", type=float, default=0.02, help="seconds before each turn")
    parser.add_argument("--realtime", action="store_true")
    parser.add_argument("--architecture", default="tinybert_4l_312")
    arguments = parser.parse_args()
    results = {**_machine(), **_settings(arguments), "lengths": {}}
    print(_header(results), flush=True)
    if results["load"] > 0.5 and not arguments.realtime:
        print("The machine is busy: look at the minima too.", file=sys.stderr)
    with tempfile.TemporaryDirectory(prefix="latency-") as folder:
        made = write_student(arguments.architecture, arguments.lengths, Path(folder))
        base = write_base(Path(folder))
        for length in arguments.lengths:
            field = _contenders(arguments, length, made, base, Path(folder))
            results["lengths"][str(length)] = _compare(field, length, arguments)
            print(_table(length, results["lengths"][str(length)]), flush=True)
    arguments.out.mkdir(parents=True, exist_ok=True)
    with atomic_file(arguments.out / "results.json") as stream:
        json.dump(results, stream, indent=2)
    tables = [_table(int(length), rows) for length, rows in results["lengths"].items()]
    with atomic_file(arguments.out / "results.md") as stream:
        stream.write("\n\n".join([_header(results), *tables]) + "\n")


def _contenders(arguments, length: int, made: dict, base: Path, folder: Path) -> list[Contender]:
    """The field for one length; all are compared with the first."""
    files = [Contender(path.name, "tflite", path) for path in arguments.files] or [
        Contender("LiteRT, universal", "tflite", made[f"universal {length}"], INTEGER),
        Contender("LiteRT, float32", "tflite", made[f"float32 {length}"], FLOAT),
    ]
    onnx = [
        Contender(f"ONNX Runtime, {name}", "onnx", path, INTEGER if "int8" in name else FLOAT)
        for name, path in write_onnx(made["hf"], length, folder).items()
    ]
    return [
        *files,
        *onnx,
        Contender("PyTorch, float32", "torch", made["hf"], FLOAT),
        Contender("PyTorch, BERT-base, float32", "torch", base),
    ]


def _compare(field: list[Contender], length: int, arguments) -> list[dict]:
    """Checks and times a field; returns a row for each."""
    workers = [
        Worker(contender, length, arguments.threads, arguments.realtime) for contender in field
    ]
    try:
        differences = _check(field, workers)
        turns = {c.name: worker.turn for c, worker in zip(field, workers, strict=True)}
        timings = take_turns(
            turns, rounds=arguments.rounds, calls=arguments.calls, pause=arguments.pause
        )
    finally:
        for worker in workers:
            worker.close()
    alone = {contender.name: _alone(contender, length, arguments) for contender in field}
    return [
        _row(contender, timings[contender.name], alone[contender.name], difference)
        for contender, difference in zip(field, differences, strict=True)
    ]


def _check(field: list[Contender], workers: list[Worker]) -> list[float | None]:
    """Largest difference of each contender's probabilities to PyTorch's, `None` without.

    Raises:
        TinyBertError: If one exceeds its tolerance: it would not be the same function.
    """
    names = [contender.name for contender in field]
    reference = workers[names.index("PyTorch, float32")].probabilities
    differences = []
    for contender, worker in zip(field, workers, strict=True):
        if contender.tolerance is None:
            differences.append(None)
            continue
        difference = float(np.abs(worker.probabilities - reference).max())
        if not difference <= contender.tolerance:
            raise TinyBertError(
                f"Expected the probabilities of PyTorch within {contender.tolerance:g}. "
                f"Received: {contender.name!r}, which differs by {difference:.2g}"
            )
        differences.append(difference)
    return differences


def _alone(contender: Contender, length: int, arguments) -> float:
    """Median milliseconds with no other contender's process about."""
    worker = Worker(contender, length, arguments.threads, arguments.realtime)
    try:
        timing = take_turns(
            {"": worker.turn},
            rounds=max(5, arguments.rounds // 3),
            calls=arguments.calls,
            pause=arguments.pause,
        )[""]
    finally:
        worker.close()
    return timing.latency.median_ms


def _row(contender: Contender, timing: Timing, alone_ms: float, difference) -> dict:
    return {
        "name": contender.name,
        "megabytes": contender.path.stat().st_size / 1e6 if contender.path.is_file() else None,
        **timing.to_dict(),
        "alone_ms": alone_ms,
        "difference": difference,
    }


# === Report ===
def _table(length: int, rows: list[dict]) -> str:
    first = rows[0]
    lines = [
        f"{length} tokens; ratios are to {first['name']}",
        "",
        "| contender | MB | median ms | min | max | alone | ratio | quartiles | of minima |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        ratio, size = row["ratio"], row["megabytes"]
        lines.append(
            f"| {row['name']} | {'' if size is None else f'{size:.1f}'} | {row['median_ms']:.2f} "
            f"| {row['min_ms']:.2f} | {row['max_ms']:.2f} | {row['alone_ms']:.2f} "
            f"| {ratio['median']:.2f} | {ratio['low']:.2f} to {ratio['high']:.2f} "
            f"| {row['min_ms'] / first['min_ms']:.2f} |"
        )
    int8 = [row for row in rows if row["name"].startswith("ONNX Runtime, int8")]
    fastest = min(int8, key=lambda row: row["min_ms"])
    lines += ["", f"{first['name']} is faster than"]
    for row, note in ((fastest, ", the fastest int8 of ONNX Runtime"), (rows[-1], "")):
        lines.append(
            f"- {row['name']}{note}: {row['ratio']['median']:.2f} times "
            f"({row['min_ms'] / first['min_ms']:.2f} by the minima)"
        )
    return "\n".join(lines)


def _header(results: dict) -> str:
    versions = ", ".join(f"{name} {value}" for name, value in results["versions"].items())
    return (
        f"{results['date']}; {results['processor']}, {results['cores']} cores, load "
        f"{results['load']:.1f} at the start{', real-time priority' * results['realtime']}; "
        f"{results['threads']} threads each, {results['rounds']} rounds; "
        f"{results['architecture']}; {versions}."
    )


def _settings(arguments) -> dict:
    names = ("threads", "rounds", "calls", "pause", "realtime", "architecture")
    return {name: getattr(arguments, name) for name in names}


def _machine() -> dict:
    return {
        "date": datetime.datetime.now(datetime.timezone.utc).date().isoformat(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "load": os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan"),
        "versions": {"python": platform.python_version(), **{p: version(p) for p in PACKAGES}},
    }


def _processor() -> str:
    """The processor's name and those of its features that int8 kernels use."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    fields = dict(line.split(":", 1) for line in lines if ":" in line)
    fields = {name.strip(): value.strip() for name, value in fields.items()}
    flags = set(fields.get("flags", "").split()) & {"avx2", "avx512_vnni", "avx_vnni", "amx_int8"}
    name = fields.get("model name", platform.machine())
    return f"{name} ({', '.join(sorted(flags))})" if flags else name


def _numbers(text: str) -> list[int]:
    return [int(part) for part in text.split(",")]


if __name__ == "__main__":
    main()
