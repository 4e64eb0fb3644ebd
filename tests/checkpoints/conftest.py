"""Checkpoints for the tests: written by hand, by PyTorch and by transformers."""

import os
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest

os.environ["HF_HUB_OFFLINE"] = "1"  # before huggingface_hub is imported: tests use no network

VOCABULARY = [
    *("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"),
    *(
        "a",
        "b",
        "good",
        "bad",
        "film",
        "was",
        "it",
        "##s",
        "##ing",
        "play",
        ".",
        ",",
        "!",
        "?",
        "the",
    ),
]


@pytest.fixture(autouse=True)
def offline(monkeypatch):
    """Keeps the hub out of reach also where huggingface_hub was imported before this file."""
    constants = pytest.importorskip("huggingface_hub.constants", reason="needs huggingface_hub")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)


# === Written by hand: what a hostile or damaged file can contain, and no PyTorch needed ===


class TorchFile:
    """Assembles the pickle opcodes of a PyTorch checkpoint one by one."""

    HEADER = b"\x80\x02"
    STOP = b"."

    @staticmethod
    def integer(value: int) -> bytes:
        encoded = pickle.encode_long(value)
        return b"\x8a" + bytes([len(encoded)]) + encoded

    @staticmethod
    def text(value: str) -> bytes:
        encoded = value.encode()
        return b"X" + len(encoded).to_bytes(4, "little") + encoded

    @staticmethod
    def name(module: str, name: str) -> bytes:
        return f"c{module}\n{name}\n".encode()

    @classmethod
    def integers(cls, values) -> bytes:
        return b"(" + b"".join(cls.integer(value) for value in values) + b"t"

    @classmethod
    def storage(cls, key: str, count: int, kind: str = "FloatStorage", tag: str = "storage"):
        return (
            b"("
            + cls.text(tag)
            + cls.name("torch", kind)
            + cls.text(key)
            + cls.text("cpu")
            + cls.integer(count)
            + b"tQ"
        )

    @classmethod
    def tensor(cls, storage: bytes, offset: int, shape, strides) -> bytes:
        return (
            cls.name("torch._utils", "_rebuild_tensor_v2")
            + b"("
            + storage
            + cls.integer(offset)
            + cls.integers(shape)
            + cls.integers(strides)
            + b"\x89"
            + cls.name("collections", "OrderedDict")
            + b")RtR"
        )

    @classmethod
    def state_dict(cls, **tensors: bytes) -> bytes:
        items = b"".join(cls.text(key) + value for key, value in tensors.items())
        return cls.HEADER + b"}(" + items + b"u" + cls.STOP

    @staticmethod
    def write_zip(path: Path, data: bytes, storages: dict[str, bytes], **entries: bytes) -> Path:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("archive/data.pkl", data)
            for key, content in storages.items():
                archive.writestr(f"archive/data/{key}", content)
            for entry, content in entries.items():
                archive.writestr(f"archive/{entry}", content)
        return path


@pytest.fixture
def torch_file():
    return TorchFile


# === Written by transformers ===


def bert_config(**changes):
    """A tiny `BertConfig` whose sizes are all different, so that no axis can be mistaken."""
    transformers = pytest.importorskip("transformers", reason="compares with transformers")
    sizes = {
        "vocab_size": len(VOCABULARY),
        "hidden_size": 12,
        "num_hidden_layers": 3,
        "num_attention_heads": 3,
        "intermediate_size": 21,
        "max_position_embeddings": 17,
        "type_vocab_size": 2,
        # Wide enough that softmax, gelu and tanh leave their linear range.
        "initializer_range": 0.5,
    }
    return transformers.BertConfig(**{**sizes, **changes})


def randomize(module, seed: int = 0, scale: float = 0.5):
    """Gives every weight random values: zero biases and unit gammas would hide a swapped key."""
    torch = pytest.importorskip("torch", reason="compares with PyTorch")
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for key, parameter in module.named_parameters():
            noise = torch.randn(parameter.shape, generator=generator) * scale
            parameter.copy_(1 + 0.2 * noise if key.endswith("LayerNorm.weight") else noise)
    return module.eval()


def write_folder(model, folder: Path, safetensors: bool = True) -> Path:
    """Saves a model of transformers with a vocabulary, as safetensors or as PyTorch pickle."""
    import torch

    folder.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(folder)
    if not safetensors:
        (folder / "model.safetensors").unlink()
        torch.save(model.state_dict(), folder / "pytorch_model.bin")
    vocabulary = "".join(f"{token}\n" for token in VOCABULARY)
    (folder / "vocab.txt").write_text(vocabulary, encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def tiny_bert(tmp_path_factory):
    """A randomly initialized `BertModel`: (model, folder with model.safetensors)."""
    transformers = pytest.importorskip("transformers", reason="compares with transformers")
    pytest.importorskip("torch", reason="compares with PyTorch")
    model = randomize(transformers.BertModel(bert_config()))
    return model, write_folder(model, tmp_path_factory.mktemp("tiny") / "tiny_bert")


@pytest.fixture(scope="session")
def tiny_classifier(tmp_path_factory):
    """A randomly initialized sequence classifier with three named classes: (model, folder)."""
    transformers = pytest.importorskip("transformers", reason="compares with transformers")
    pytest.importorskip("torch", reason="compares with PyTorch")
    names = {0: "bad", 1: "neutral", 2: "good"}
    config = bert_config(id2label=names, label2id={name: i for i, name in names.items()})
    model = randomize(transformers.BertForSequenceClassification(config))
    return model, write_folder(model, tmp_path_factory.mktemp("tiny") / "tiny_classifier")


def random_inputs(vocabulary_size: int, lengths, total: int, seed: int = 0) -> dict:
    """Token ids, segments and padding mask `(len(lengths), total)`, padded after each length.

    Padded places hold random tokens, which must not matter.
    """
    generator = np.random.default_rng(seed)
    shape = (len(lengths), total)
    return {
        "token_ids": generator.integers(0, vocabulary_size, shape).astype("int32"),
        "segment_ids": generator.integers(0, 2, shape).astype("int32"),
        "padding_mask": (np.arange(total) < np.array(lengths)[:, None]).astype("int32"),
    }


def run_transformers(model, inputs: dict, **arguments):
    """Runs a model of transformers on our inputs, without gradients."""
    import torch

    tensors = {name: torch.from_numpy(value).long() for name, value in inputs.items()}
    with torch.no_grad():
        return model(
            input_ids=tensors["token_ids"],
            token_type_ids=tensors["segment_ids"],
            attention_mask=tensors["padding_mask"],
            **arguments,
        )


@pytest.fixture
def hf():
    """The helpers above, for tests: modules of a test folder cannot import each other."""
    from types import SimpleNamespace

    return SimpleNamespace(
        bert_config=bert_config,
        randomize=randomize,
        write_folder=write_folder,
        random_inputs=random_inputs,
        run=run_transformers,
        vocabulary=VOCABULARY,
    )
