"""What the task models share: their heads' files and their optimizer."""

import keras


def save_heads(model, path) -> None:
    """Saves a task's weights beside its encoder; the optimizer's state would triple a preset."""
    keras.saving.save_weights(model, path, objects_to_skip=_not_the_heads(model))


def load_heads(model, path) -> None:
    """Loads what `save_heads` wrote."""
    keras.saving.load_weights(model, path, objects_to_skip=_not_the_heads(model))


@keras.saving.register_keras_serializable(package="tinybert_tf")
class BertAdamW(keras.optimizers.AdamW):
    """AdamW that never decays biases and norms: Keras forgets the exclusion in saved models."""

    def build(self, variables):
        if not self.built:
            self.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
        super().build(variables)


def adamw(learning_rate: float) -> keras.optimizers.Optimizer:
    """BERT's AdamW: decay 0.01 but for biases and norms, gradients clipped to norm 1."""
    return BertAdamW(learning_rate, weight_decay=0.01, global_clipnorm=1.0)


def _not_the_heads(model) -> list:
    optimizer = getattr(model, "optimizer", None)
    return [*model.backbone._flatten_layers(), *([optimizer] if optimizer else [])]
