"""Phone-assistant intents: an embedded text-classification data set of 22 classes.

`python -m tinybert_tf.text.intents OUT_DIR` writes train.csv, dev.csv and test.csv.
"""

from tinybert_tf.text.intents.data import IntentData, load_intents, write_intents

__all__ = ["IntentData", "load_intents", "write_intents"]
