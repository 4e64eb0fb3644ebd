"""Builds the models of --task translation and summarization."""

from dataclasses import dataclass
from pathlib import Path

from tinybert_tf.cli.models import load_preset, preset_of, with_max_length
from tinybert_tf.cli.tasks import Task, TaskData
from tinybert_tf.config import architecture
from tinybert_tf.errors import TinyBertError

_ARCHITECTURE, _VOCABULARY_SIZE = "tinybert_4l_312", 8000


@dataclass(frozen=True)
class Shape:
    """What a new sequence-to-sequence model looks like; `None` for what is usual.

    Attributes:
        architecture: string. Of the encoder; see `ARCHITECTURES`. The decoder has its width.
        decoder_blocks: int. As many as the encoder has, unless told.
        vocabulary_size: int. Most tokens of each vocabulary that is learned.
    """

    architecture: str | None = None
    decoder_blocks: int | None = None
    vocabulary_size: int | None = None

    def check(self, task: Task, teacher: str | None) -> None:
        """Checks that the options belong to the task.

        Raises:
            TinyBertError: If they do not, or no architecture has the name.
        """
        if not task.generates and self != Shape():
            raise TinyBertError(
                "Expected --architecture, --decoder-blocks and --vocabulary-size with --task "
                f"translation or summarization only. Received: --task {task.name}"
            )
        if self.architecture is not None and teacher is not None:
            raise TinyBertError(
                "Expected --architecture for a new encoder, or --teacher for a trained one. "
                f"Received: --architecture {self.architecture} and --teacher {teacher}"
            )
        if self.architecture is not None:
            architecture(self.architecture)


def build_seq2seq(
    task: Task, train: TaskData, teacher: str | None, shape: Shape, max_length: int | None
):
    """Builds a model whose vocabularies are learned from the training data.

    A translator's two languages have a vocabulary each; a summarizer has one. Of a trained
    encoder the vocabulary stays.

    Args:
        task: `Task`.
        train: `TaskData`. The pairs.
        teacher: string. A trained encoder: Hugging Face folder, hub name, preset or run; of a
            sequence-to-sequence run the whole model trains on. `None` for a new one.
        shape: `Shape`.
        max_length: int. Longest source in tokens; `None` for the task's usual one.
    """
    from tinybert_tf import models
    from tinybert_tf.text.train_vocabulary import train_wordpiece

    size = shape.vocabulary_size or _VOCABULARY_SIZE
    translates = task.name == "translation"
    if teacher is None:
        texts = train.inputs if translates else [*train.inputs, *train.labels]
        source = train_wordpiece(texts, size, lowercase=translates)
        length = max_length or task.sequence_length
        backbone = models.TinyBertBackbone(
            source.vocabulary_size,
            **architecture(shape.architecture or _ARCHITECTURE),
            max_sequence_length=length,
        )
    else:
        trained = _trained(teacher, task)
        if trained.kind == "seq2seq":
            _refuse_shape(shape)
            trained.purpose = task.name
            return with_max_length(trained, max_length)
        backbone, source, length = trained.backbone, trained.wordpiece, trained.sequence_length
    target = train_wordpiece(train.labels, size, lowercase=False) if translates else None
    preprocessor = models.TinyBertSeq2SeqPreprocessor.from_wordpieces(
        source, target, sequence_length=length
    )
    model = models.TinyBertSeq2Seq(
        backbone, preprocessor, decoder_layers=shape.decoder_blocks, purpose=task.name
    )
    return with_max_length(model, max_length)


def _refuse_shape(shape: Shape) -> None:
    if shape != Shape():
        raise TinyBertError(
            "Expected no --decoder-blocks and --vocabulary-size with a --teacher that has a "
            "decoder: the whole model is trained on. Received: "
            f"{', '.join(f'{k}={v}' for k, v in vars(shape).items() if v is not None)}"
        )


def _trained(teacher: str, task: Task):
    """A model whose encoder and tokenizer are taken."""
    preset = preset_of(Path(teacher)) if Path(teacher).is_dir() else None
    if preset is not None:
        return load_preset(preset)
    from tinybert_tf.models import TinyBertSentenceEmbedder
    from tinybert_tf.models.from_checkpoint import load_for, preprocessor_of

    loaded = load_for(TinyBertSentenceEmbedder, teacher, {})
    return TinyBertSentenceEmbedder(loaded.backbone, preprocessor_of(loaded, task.sequence_length))
