"""What a decoder knows, as plain arrays: the input of its lowering."""

from collections.abc import Callable
from dataclasses import dataclass

from tinybert_tf.export.weights import (
    DenseWeights,
    Grid,
    NormWeights,
    TaskWeights,
    read_array,
    read_dense,
    read_norm,
)
