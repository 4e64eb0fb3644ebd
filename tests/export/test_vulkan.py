import os

import pytest

from tinybert_tf.export import vulkan
from tinybert_tf.export.vulkan import GpuUnavailable, vulkan_drivers


@pytest.fixture
def drivers(tmp_path, monkeypatch):
    """A system driver and two browsers, found by patterns as on a real machine."""
    for folder in ("icd.d", "browser1", "browser2"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "icd.json").write_text("{}")
    monkeypatch.setattr(vulkan, "_SYSTEM_DRIVERS", (str(tmp_path / "icd.d/*.json"),))
    monkeypatch.setattr(vulkan, "_SOFTWARE_DRIVERS", (str(tmp_path / "browser*/icd.json"),))
    return tmp_path


def test_system_drivers_come_before_browsers(drivers):
    first, *others = vulkan_drivers({})
    assert first.variables == {}
    paths = [str(drivers / f"browser{number}/icd.json") for number in (1, 2)]
    assert [driver.name for driver in others] == paths
    assert [driver.variables["VK_ICD_FILENAMES"] for driver in others] == paths


@pytest.mark.parametrize("variable", ["VK_ICD_FILENAMES", "VK_DRIVER_FILES"])
def test_a_variable_decides_alone(drivers, variable):
    named = os.pathsep.join(str(drivers / f"browser{number}/icd.json") for number in (2, 1))
    (driver,) = vulkan_drivers({variable: named})
    assert driver.variables == {}  # the variable itself stays in force
    assert named in driver.name


def test_an_empty_variable_decides_nothing(drivers):
    assert len(vulkan_drivers({"VK_ICD_FILENAMES": ""})) == 3


def test_a_named_file_that_does_not_exist(drivers):
    missing = str(drivers / "missing.json")
    with pytest.raises(GpuUnavailable, match=r"apt-get install .*missing\.json does not"):
        vulkan_drivers({"VK_DRIVER_FILES": missing})


def test_no_driver_at_all(drivers):
    for path in drivers.glob("*/icd.json"):
        path.unlink()
    with pytest.raises(GpuUnavailable, match=r"chromium-common.*Received: no driver"):
        vulkan_drivers({})
