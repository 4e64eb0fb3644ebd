"""Smaller matrices that act like the teacher's on the student's subspace."""

import numpy as np


def principal_directions(states: np.ndarray, width: int) -> np.ndarray:
    """The `width` orthonormal directions that keep most of the states' energy.

    Uncentered principal components: the mean of the states is part of what must be kept.

    Args:
        states: float `(n, hidden_dim)`.
        width: int. Directions to keep.

    Returns:
        float32 `(hidden_dim, width)`.
    """
    _, vectors = np.linalg.eigh(states.T.astype("float64") @ states)
    return vectors[:, ::-1][:, :width].astype("float32")


def norm_parameters(targets: np.ndarray) -> list[np.ndarray]:
    """Gamma and beta with which a layer norm of `targets` gives back `targets` at best.

    Least squares for each dimension: `targets_j ~ gamma_j n_j + beta_j`, where n is the
    normalized row.

    Args:
        targets: float `(n, width)`. The teacher's states in the student's subspace.
    """
    centered = targets - targets.mean(axis=1, keepdims=True)
    normalized = centered / np.sqrt((centered**2).mean(axis=1, keepdims=True) + 1e-12)
    spread = normalized - normalized.mean(axis=0)
    gamma = (spread * targets).mean(axis=0) / np.maximum((spread**2).mean(axis=0), 1e-12)
    beta = targets.mean(axis=0) - gamma * normalized.mean(axis=0)
    return [gamma.astype("float32"), beta.astype("float32")]


def assign_rows(variable, rows: np.ndarray) -> None:
    """Overwrites the first rows of a table."""
    table = variable.numpy()
    table[: len(rows)] = rows
    variable.assign(table)


def narrow_dense(target, source, inputs: np.ndarray, outputs: np.ndarray) -> None:
    """Projects a dense layer on both sides: `W' = P_in^T W P_out`, `b' = b P_out`."""
    kernel, bias = source.get_weights()
    target.set_weights([inputs.T @ kernel @ outputs, bias @ outputs])


def narrow_feed_forward(target, source, directions: np.ndarray) -> None:
    """Keeps the neurons with the largest product of incoming and outgoing norm.

    A target with more neurons than the source keeps its own initial values in the surplus.
    """
    kernel_in, bias_in = source.intermediate_dense.get_weights()
    kernel_out, bias_out = source.output_dense.get_weights()
    importance = np.linalg.norm(kernel_in, axis=0) * np.linalg.norm(kernel_out, axis=1)
    count = min(target.intermediate_dim, source.intermediate_dim)
    kept = np.sort(np.argsort(-importance, kind="stable")[:count])
    own_in, own_bias = target.intermediate_dense.get_weights()
    own_out, _ = target.output_dense.get_weights()
    own_in[:, :count] = directions.T @ kernel_in[:, kept]
    own_bias[:count] = bias_in[kept]
    own_out[:count] = kernel_out[kept] @ directions
    target.intermediate_dense.set_weights([own_in, own_bias])
    target.output_dense.set_weights([own_out, bias_out @ directions])


def narrow_attention(target, source, directions: np.ndarray, seed: int = 0) -> None:
    """Copies heads of equal size, and otherwise takes each head's best low-rank form.

    A head acts through two products: `[Q; b_q][K; b_k]^T / sqrt(d)` makes its scores, and
    `[V; b_v] O` its output. Both are projected into the student's subspace and factored again by
    a truncated singular value decomposition of the student's head size (Eckart-Young). Of more
    teacher heads than student heads, those with the largest output maps are kept.
    """
    query, key, value = (
        _heads(getattr(source, f"{name}_dense"), source.num_heads, directions)
        for name in ("query", "key", "value")
    )
    kernel, bias = source.output_dense.get_weights()
    output = (kernel @ directions).reshape(source.num_heads, source.head_dim, -1)

    strength = [np.linalg.norm(value[h] @ output[h]) for h in range(source.num_heads)]
    count = min(target.num_heads, source.num_heads)
    kept = np.sort(np.argsort(-np.array(strength), kind="stable")[:count])
    generator = np.random.default_rng(seed)
    shape = (target.num_heads, directions.shape[1] + 1, target.head_dim)
    new_query, new_key, new_value = (
        generator.normal(0.0, 0.02, shape).astype("float32") for _ in range(3)
    )
    new_output = generator.normal(0.0, 0.02, (target.num_heads, target.head_dim, output.shape[2]))
    same_size = target.head_dim == source.head_dim
    for own, other in enumerate(kept):
        if same_size:
            new_query[own], new_key[own] = query[other], key[other]
            new_value[own], new_output[own] = value[other], output[other]
            continue
        scale = (target.head_dim / source.head_dim) ** 0.5
        left, right = _low_rank(scale * query[other] @ key[other].T, target.head_dim)
        new_query[own] += _pad(left, shape[1:])
        new_key[own] += _pad(right.T, shape[1:])
        left, right = _low_rank(value[other] @ output[other], target.head_dim)
        new_value[own] += _pad(left, shape[1:])
        new_output[own] += _pad(right, new_output.shape[1:])

    for name, heads in (("query", new_query), ("key", new_key), ("value", new_value)):
        joined = heads.transpose(1, 0, 2).reshape(shape[1], -1)
        getattr(target, f"{name}_dense").set_weights([joined[:-1], joined[-1]])
    target.output_dense.set_weights([new_output.reshape(-1, output.shape[2]), bias @ directions])


def _heads(dense, num_heads: int, directions: np.ndarray) -> np.ndarray:
    """Kernel and bias of a projection, head by head: `(heads, width + 1, head_dim)`."""
    kernel, bias = dense.get_weights()
    joined = np.concatenate([directions.T @ kernel, bias[None]])
    return joined.reshape(joined.shape[0], num_heads, -1).transpose(1, 0, 2)


def _low_rank(matrix: np.ndarray, rank: int) -> tuple[np.ndarray, np.ndarray]:
    """Two factors of at most `rank` whose product is nearest to `matrix`."""
    left, values, right = np.linalg.svd(matrix, full_matrices=False)
    root = np.sqrt(values[:rank])
    return left[:, :rank] * root, root[:, None] * right[:rank]


def _pad(matrix: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    padded = np.zeros(shape, "float32")
    padded[: matrix.shape[0], : matrix.shape[1]] = matrix
    return padded
