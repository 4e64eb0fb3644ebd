"""Installs the package; the folder `export/` becomes `tinybert_tf.export`."""

import re
from pathlib import Path

from setuptools import find_packages, setup

ROOT = Path(__file__).parent
VERSION = re.search(
    r'^__version__ = "([^"]+)"', (ROOT / "tinybert_tf/__init__.py").read_text("utf-8"), re.M
).group(1)
README = ROOT / "README.md"

# No top-level package of the generic name `export` is installed: the folder is mapped.
EXPORT = ["tinybert_tf.export"] + [f"tinybert_tf.export.{name}" for name in find_packages("export")]

PLOTS = ["matplotlib>=3.8"]
DATASETS = ["datasets>=3.0"]
# What MediaPipe imports. It is itself installed with `pip install --no-deps mediapipe==1.2.2`: it
# asks for absl-py 2 and tensorflow-model-optimization for absl-py 1, and it runs with either.
MEDIAPIPE = ["opencv-contrib-python-headless", "sounddevice>=0.5", "matplotlib>=3.8"]
HF = ["transformers>=4.50", "torch==2.13.0"]
TRANSLATION = ["sacrebleu>=2.4", "rouge-score>=0.1.2"]
BENCHMARK = [*HF, "onnx>=1.17", "onnxruntime>=1.20"]
NOTEBOOK = ["ipykernel>=6.29", "nbclient>=0.10", "nbformat>=5.10"]
DOCS = [
    "mkdocs>=1.6,<2",
    "mkdocs-material>=9.7,<10",
    "mkdocstrings[python]>=1.0,<2",
    "mkdocstrings-python>=2.0,<3",
    "latex2mathml>=3.78,<4",
]
# Drives a Chromium that is installed already; it downloads none.
BROWSER = ["playwright>=1.50"]
DEV = ["ruff==0.17.6"]  # pinned: newer versions bring new rules

setup(
    name="tinybert-tf",
    version=VERSION,
    description="Distil a BERT into a TinyBERT with Keras 3 and ship it as a verified .tflite file",
    long_description=README.read_text("utf-8") if README.exists() else "",
    long_description_content_type="text/markdown",
    license_expression="Apache-2.0",
    license_files=["LICENSE"],
    author="The tinybert_tf authors",
    keywords="bert tinybert distillation quantization tflite litert keras on-device",
    classifiers=[
        "Development Status :: 4 - Beta",
        "Intended Audience :: Developers",
        "Intended Audience :: Science/Research",
        "Programming Language :: Python :: 3.10",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Topic :: Scientific/Engineering :: Artificial Intelligence",
        "Typing :: Typed",
    ],
    python_requires=">=3.10,<3.13",
    packages=find_packages(include=["tinybert_tf", "tinybert_tf.*"]) + EXPORT,
    package_dir={"tinybert_tf": "tinybert_tf", "tinybert_tf.export": "export"},
    package_data={
        "tinybert_tf": ["py.typed", "**/*.json", "**/*.tsv", "**/*.txt", "**/*.csv"],
        "tinybert_tf.export.delegates": ["rules.json"],
    },
    include_package_data=False,
    zip_safe=False,
    install_requires=[
        "tensorflow>=2.20,<3",
        "keras>=3.12,<4",
        "keras-nlp>=0.25,<1",
        "tensorflow-model-optimization>=0.8,<1",
        "ai-edge-litert>=2.3,<3",
        "numpy>=1.26,<3",
        "tokenizers>=0.21,<1",
        "safetensors>=0.4.3,<1",
        "huggingface-hub>=0.26,<3",
        "flatbuffers>=24.3",
        "typer>=0.12,<1",
        "rich>=13.8",
    ],
    extras_require={
        "plots": PLOTS,
        "datasets": DATASETS,
        "mediapipe": MEDIAPIPE,
        "hf": HF,
        "translation": TRANSLATION,
        "benchmark": BENCHMARK,
        "notebook": NOTEBOOK,
        "docs": DOCS,
        "test": [
            "pytest>=8.3",
            "pytest-xdist>=3.6",
            "scikit-learn>=1.5",
            "seqeval>=1.2",
            "setuptools>=77",
            "wheel",
            *PLOTS,
            *DATASETS,
            *MEDIAPIPE,
            *HF,
            *TRANSLATION,
            *NOTEBOOK,
            *DOCS,
            *BROWSER,
            *DEV,
        ],
        "dev": DEV,
    },
    entry_points={"console_scripts": ["tinybert-tf = tinybert_tf.cli:main"]},
)
