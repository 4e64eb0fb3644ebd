"""Skips what needs a Vulkan device where there is none."""

import contextlib
import os
from collections.abc import Iterator

import pytest

from tinybert_tf.export.vulkan import GpuUnavailable


@contextlib.contextmanager
def skip_without_gpu() -> Iterator[None]:
    """Skips with the reason; with TINYBERT_REQUIRE_GPU=1, as in CI, the test fails instead."""
    try:
        yield
    except GpuUnavailable as error:
        if os.environ.get("TINYBERT_REQUIRE_GPU") == "1":
            raise
        pytest.skip(str(error))
