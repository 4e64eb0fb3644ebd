"""How fast to prune: tfmot's polynomial schedule (Zhu and Gupta 2017)."""

from tinybert_tf.errors import TinyBertError


def polynomial_decay(target_sparsity: float, begin_step: int, end_step: int, frequency: int = 1):
    """tfmot's `PolynomialDecay` from 0 to a target, with exponent 3.

    `s(t) = s_f - s_f (1 - (t - begin) / (end - begin))^3` (Zhu and Gupta 2017, section 3): much
    goes early, while much is superfluous. The class needs tf_keras only to be imported, and
    nothing of a Keras model.

    Args:
        target_sparsity: float. The share that is gone in the end, at least 0 and below 1.
        begin_step: int. The step before which nothing is pruned.
        end_step: int. The step that reaches the target; after `begin_step`.
        frequency: int. Steps from one pruning to the next. Defaults to `1`.

    Returns:
        A callable of a step: whether to prune now, and the sparsity.

    Raises:
        TinyBertError: If a value is out of range.
    """
    if not 0.0 <= target_sparsity < 1.0:
        raise TinyBertError(
            "Expected a sparsity of at least 0 and below 1. "
            f"Received: target_sparsity={target_sparsity}"
        )
    if not 0 <= begin_step < end_step or frequency < 1:
        raise TinyBertError(
            "Expected 0 <= begin_step < end_step and a frequency of at least 1. Received: "
            f"begin_step={begin_step}, end_step={end_step}, frequency={frequency}"
        )
    # Here, so that only who prunes loads tf_keras.
    from tensorflow_model_optimization.sparsity.keras import PolynomialDecay

    return PolynomialDecay(0.0, target_sparsity, begin_step, end_step, frequency=frequency)


def counts_by_step(total: int, kept: int, steps: int) -> list[int]:
    """How many of `total` are left after each of `steps` prunings, the last time `kept`.

    Args:
        total: int. Heads or neurons at the start.
        kept: int. Heads or neurons in the end, from 1 to `total`.
        steps: int. At least 1.
    """
    schedule = polynomial_decay(1.0 - kept / total, 0, steps)
    return [round(total * (1.0 - float(schedule(step)[1]))) for step in range(1, steps + 1)]
