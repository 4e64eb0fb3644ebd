"""Keras' AdamW against the fused one, on one word table: ratio in one process.

    python benchmarks/optimizer_step.py [--rows 30522] [--width 384] [--tokens 512] [--repeats 30]

Both take a gradient with `tokens` rows, clip its norm, decay the weights and update; the two
take turns. Prints the median and minimum in ms of each, and their ratio.
"""

import time

import command_line
import keras
import numpy as np
import tensorflow as tf

from tinybert_tf.training.optimizer import FusedAdamW


def stepper(cls, rows: int, width: int, tokens: int):
    """A compiled training step on a table of its own."""
    table = keras.Variable(np.zeros((rows, width), "float32"), name="embeddings")
    optimizer = cls(1e-4, weight_decay=0.01, global_clipnorm=1.0, epsilon=1e-6)
    optimizer.build([table])
    ids = tf.constant(np.random.default_rng(0).integers(0, rows, tokens))

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(tf.square(tf.gather(table.value, ids) - 1.0))
        optimizer.apply_gradients([(tape.gradient(loss, table.value), table)])
        return loss

    return step


def main() -> None:
    parser = command_line.parser(__doc__)
    parser.add_argument("--rows", type=int, default=30522)
    parser.add_argument("--width", type=int, default=384)
    parser.add_argument("--tokens", type=int, default=512)
    parser.add_argument("--repeats", type=int, default=30)
    arguments = parser.parse_args()
    sizes = (arguments.rows, arguments.width, arguments.tokens)
    steps = {cls.__name__: stepper(cls, *sizes) for cls in (keras.optimizers.AdamW, FusedAdamW)}
    times = {name: [] for name in steps}
    for repeat in range(arguments.repeats + 2):
        for name, step in steps.items():
            started = time.perf_counter()
            step().numpy()
            if repeat >= 2:
                times[name].append(1000 * (time.perf_counter() - started))
    for name, values in times.items():
        print(f"{name}: median {np.median(values):.1f} ms, minimum {np.min(values):.1f} ms")
    keras_times, fused_times = times.values()
    ratios = np.array(keras_times) / np.array(fused_times)
    print(
        f"Keras / fused, pair by pair: median {np.median(ratios):.2f}, "
        f"minimum {ratios.min():.2f}, maximum {ratios.max():.2f}"
    )


if __name__ == "__main__":
    main()
