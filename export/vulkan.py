"""Finds a Vulkan driver for LiteRT's GPU accelerator: a GPU's, or the software one of a browser.

Chromium and its relatives bring SwiftShader, a Vulkan device that computes on the CPU. LiteRT's
accelerator takes it; Mesa's software device (lavapipe 22.3) it refuses.
"""

import glob
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tinybert_tf.errors import TinyBertError

# What tells the Vulkan loader which drivers to use, the stronger one first.
DRIVER_VARIABLES = ("VK_DRIVER_FILES", "VK_ICD_FILENAMES")
# Where the loader looks by itself.
_SYSTEM_DRIVERS = (
    "/etc/vulkan/icd.d/*.json",
    "/usr/local/etc/vulkan/icd.d/*.json",
    "/usr/local/share/vulkan/icd.d/*.json",
    "/usr/share/vulkan/icd.d/*.json",
    "~/.local/share/vulkan/icd.d/*.json",
)
_SOFTWARE_DRIVERS = (
    "/usr/lib/chromium*/vk_swiftshader_icd.json",  # Debian
    "/opt/google/chrome*/vk_swiftshader_icd.json",
    "/opt/microsoft/msedge*/vk_swiftshader_icd.json",
    "/snap/chromium/current/usr/lib/chromium*/vk_swiftshader_icd.json",  # Ubuntu
    "~/.cache/ms-playwright/chromium*/chrome-linux*/vk_swiftshader_icd.json",
)
_ADVICE = (
    "Expected a Vulkan device for LiteRT's GPU accelerator; a software device will do. On Debian "
    "`apt-get install -y --no-install-recommends chromium-common libvulkan1` brings one, "
    "elsewhere Google Chrome does; VK_ICD_FILENAMES names the driver's .json file where it is "
    "not found by itself."
)


class GpuUnavailable(TinyBertError):
    """No Vulkan device that the accelerator takes, or no accelerator; says what to install."""


@dataclass(frozen=True)
class VulkanDriver:
    """A choice of drivers.

    Args:
        name: string. What it is, for messages.
        variables: dict. Environment variables that make the Vulkan loader use it.
    """

    name: str
    variables: Mapping[str, str] = field(default_factory=dict)


def vulkan_drivers(environment: Mapping[str, str] = os.environ) -> list[VulkanDriver]:
    """The drivers to try, in this order.

    1. What VK_DRIVER_FILES or VK_ICD_FILENAMES names; then nothing else is tried.
    2. The system's drivers, such as a GPU's.
    3. The vk_swiftshader_icd.json of Chromium, Chrome, Edge, or a browser of Playwright.

    Args:
        environment: dict. The environment variables. Defaults to the process's.

    Raises:
        GpuUnavailable: If a file that a variable names does not exist, or there is no driver
            at all.
    """
    for variable in DRIVER_VARIABLES:
        if environment.get(variable):
            return [_named_driver(variable, environment[variable])]
    drivers = []
    if not sys.platform.startswith("linux") or _existing(_SYSTEM_DRIVERS):
        drivers.append(VulkanDriver("the system's drivers"))
    drivers += [
        VulkanDriver(path, {"VK_ICD_FILENAMES": path, "VK_DRIVER_FILES": path})
        for path in _existing(_SOFTWARE_DRIVERS)
    ]
    if not drivers:
        raise missing_device("no driver in the system's folders and no browser with SwiftShader")
    return drivers


def missing_device(received: str) -> GpuUnavailable:
    """The error that says how to get a device.

    Args:
        received: string. What was tried.
    """
    return GpuUnavailable(f"{_ADVICE} Received: {received}")


def _named_driver(variable: str, value: str) -> VulkanDriver:
    missing = [path for path in value.split(os.pathsep) if path and not Path(path).exists()]
    if missing:
        raise missing_device(f"{variable}={value!r}, where {', '.join(missing)} does not exist")
    return VulkanDriver(f"{variable}={value!r}")


def _existing(patterns: tuple[str, ...]) -> list[str]:
    return [path for pattern in patterns for path in sorted(glob.glob(os.path.expanduser(pattern)))]
