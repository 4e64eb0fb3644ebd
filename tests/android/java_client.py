"""The Java client in a JVM, behind a pipe; GoldenReplay.java is at the other end."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

JAVA_FOLDER = Path(__file__).parents[2] / "android_demo_assets" / "java"
SOURCES = sorted((JAVA_FOLDER / "src").rglob("*.java"))
# The two classes for Android, and the signatures that they are written for.
ANDROID = sorted((JAVA_FOLDER / "android").rglob("*.java"))
STAND_INS = sorted(Path(__file__).with_name("stand_ins").rglob("*.java"))
REPLAY = Path(__file__).with_name("GoldenReplay.java")
# What a runner is: a signature and the rows of its inputs to the model's output.
Run = Callable[[str, list[list[int]]], list[float]]


def need_java() -> None:
    """Skips the test where there is no JDK; fails instead in CI, which must have one."""
    if shutil.which("javac") and shutil.which("java"):
        return
    reason = "javac and java are needed (Debian: openjdk-17-jdk-headless)"
    if os.environ.get("CI", "").lower() in ("true", "1"):
        pytest.fail(reason)
    pytest.skip(reason)


def javac(release: int, output: Path, *sources: Path) -> subprocess.CompletedProcess:
    """Compiles with every warning on, as an error; that the release is an old one is none."""
    command = ["javac", "--release", str(release), "-Xlint:all,-options", "-Werror"]
    command += ["-encoding", "UTF-8", "-d", output, *sources]
    return subprocess.run(command, capture_output=True, text=True)


def supported_releases() -> list[int]:
    """The releases that the installed javac can compile for."""
    text = subprocess.run(["javac", "--help"], capture_output=True, text=True).stdout
    return [int(release) for release in re.findall(r"\d+", text.split("Supported releases:")[1])]


class JavaClient:
    """A JVM that tokenizes and classifies; ended by `close`."""

    def __init__(self, classes: Path):
        self._process = subprocess.Popen(
            ["java", "-Xmx1g", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]
            + ["-cp", str(classes), "GoldenReplay"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            encoding="ascii",
        )
        self.run: Run | None = None
        self.interpreter: FileInterpreter | None = None

    def ask(self, **request) -> dict:
        """Sends a request and returns the answer, running the model where Java asks for it."""
        answer = self._exchange(request)
        while True:
            if "run" in answer:
                output = self.run(answer["run"], answer["inputs"])
            elif "outputs" in answer:
                output = self.interpreter.outputs(answer["outputs"])
            elif "interpret" in answer:
                output = self.interpreter.run(
                    answer["interpret"], answer["names"], answer["inputs"], answer["of"]
                )
            else:
                return answer
            answer = self._exchange({"output": output})

    def _exchange(self, message: dict) -> dict:
        self._process.stdin.write(json.dumps(message) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, f"the JVM ended with {self._process.wait()}: its stack trace is in stderr"
        return json.loads(line)

    def use_vocabulary(
        self, path, lowercase=True, strip_accents=None, split_chinese=True, max_characters=100
    ) -> None:
        """Makes a tokenizer; the settings are `WordPiece`'s."""
        answer = self.ask(
            vocabulary=str(path),
            lowercase=lowercase,
            strip_accents=lowercase if strip_accents is None else strip_accents,
            split_chinese=split_chinese,
            max_characters=max_characters,
        )
        assert "error" not in answer, answer

    def encode(self, texts, pairs=None, max_length=10_000) -> dict:
        """Token ids and segment ids of texts, or of pairs."""
        return self.ask(texts=texts, pairs=pairs, max_length=max_length)

    def close(self) -> None:
        """Ends the JVM."""
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait(10)


class FileInterpreter:
    """What LiteRT's Interpreter of Java does, by LiteRT for Python; `""` is the only signature."""

    def __init__(self, path: Path):
        self._interpreter = Interpreter(str(path))
        self._interpreter.allocate_tensors()
        self._signatures = self._interpreter.get_signature_list()

    def outputs(self, signature: str) -> list[dict]:
        """Name and shape of each output: in the file's order, or those of a signature."""
        if signature:
            names = self._signatures[signature]["outputs"]
            details = self._interpreter.get_signature_runner(signature).get_output_details()
            return [{"name": n, "shape": details[n]["shape"].tolist()} for n in names]
        details = self._interpreter.get_output_details()
        return [{"name": str(d["index"]), "shape": d["shape"].tolist()} for d in details]

    def run(self, signature: str, names: list[str], rows: list[list[int]], output: str):
        """The values of one output."""
        arrays = [np.array([row], "int32") for row in rows]
        if signature:
            runner = self._interpreter.get_signature_runner(signature)
            return runner(**dict(zip(names, arrays, strict=True)))[output].ravel().tolist()
        for detail, array in zip(self._interpreter.get_input_details(), arrays, strict=True):
            self._interpreter.set_tensor(detail["index"], array)
        self._interpreter.invoke()
        return self._interpreter.get_tensor(int(output)).ravel().tolist()


def litert(path: Path) -> Run:
    """Runs a `.tflite` with LiteRT as LiteRtRunner.java does: rows in the file's order."""
    interpreter = Interpreter(str(path))
    interpreter.allocate_tensors()
    several = len(interpreter.get_signature_list()) > 1

    def run(signature: str, rows: list[list[int]]) -> list[float]:
        arrays = [np.array([row], "int32") for row in rows]
        if several:
            named = dict(zip(("ids", "mask", "segment_ids"), arrays, strict=True))
            (output,) = interpreter.get_signature_runner(signature)(**named).values()
            return output[0].tolist()
        for detail, array in zip(interpreter.get_input_details(), arrays, strict=True):
            interpreter.set_tensor(detail["index"], array)
        interpreter.invoke()
        return interpreter.get_tensor(interpreter.get_output_details()[0]["index"])[0].tolist()

    return run
