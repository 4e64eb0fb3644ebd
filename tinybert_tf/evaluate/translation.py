"""How close generated texts come to references: BLEU, chrF, ROUGE."""

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from tinybert_tf.errors import TinyBertError


@dataclass(frozen=True)
class TranslationReport:
    """Scores of a corpus of translations.

    Attributes:
        num_examples: int.
        bleu: float. Corpus BLEU (Papineni et al. 2002), 0 to 100.
        chrf: float. chrF2 (Popović 2015), 0 to 100.
        bleu_signature: string. sacrebleu's settings and version, to be stated beside the score.
        chrf_signature: string.
    """

    num_examples: int
    bleu: float
    chrf: float
    bleu_signature: str
    chrf_signature: str

    def to_dict(self) -> dict:
        """Everything as a dict that JSON can hold."""
        return asdict(self)

    def summary(self) -> dict[str, float]:
        """The scores by name."""
        return {"bleu": self.bleu, "chrf": self.chrf}

    def to_text(self, digits: int = 1) -> str:
        """Two lines for a terminal."""
        return (
            f"BLEU {self.bleu:.{digits}f}, chrF {self.chrf:.{digits}f} on {self.num_examples} "
            f"examples\n{self.bleu_signature}"
        )

    def __str__(self) -> str:
        return self.to_text()


@dataclass(frozen=True)
class SummaryReport:
    """Mean F1 of ROUGE (Lin 2004) over summaries, 0 to 1.

    Attributes:
        num_examples: int.
        rouge1: float. Words in common.
        rouge2: float. Pairs of words in common.
        rougeL: float. The longest common subsequence of words.
    """

    num_examples: int
    rouge1: float
    rouge2: float
    rougeL: float

    def to_dict(self) -> dict:
        """Everything as a dict that JSON can hold."""
        return asdict(self)

    def summary(self) -> dict[str, float]:
        """The scores by name."""
        return {"rouge1": self.rouge1, "rouge2": self.rouge2, "rougeL": self.rougeL}

    def to_text(self, digits: int = 3) -> str:
        """One line for a terminal."""
        shown = ", ".join(f"{name} {value:.{digits}f}" for name, value in self.summary().items())
        return f"{shown} on {self.num_examples} examples"

    def __str__(self) -> str:
        return self.to_text()


def evaluate_translations(
    hypotheses: Sequence[str], references: Sequence[str], target_language: str
) -> TranslationReport:
    """Compares translations with references by sacrebleu (Post 2018).

    Args:
        hypotheses: list of strings.
        references: list of strings, one a hypothesis.
        target_language: string. Code of the references' language, such as `"en"`. Chinese (`"zh"`,
            `"cmn"`, `"zh-CN"`, ...) and Japanese (`"ja"`) are compared by character, others by
            mteval's words (`13a`).

    Raises:
        TinyBertError: If sacrebleu is not installed, the numbers differ or there are none.
    """
    metrics = _sacrebleu()
    hypotheses, references = _checked(hypotheses, references)
    tokenize = "char" if _is_japanese(target_language) else "13a"
    bleu = metrics.BLEU(tokenize="zh" if is_chinese(target_language) else tokenize)
    chrf = metrics.CHRF()
    bleu_score = bleu.corpus_score(hypotheses, [references]).score
    chrf_score = chrf.corpus_score(hypotheses, [references]).score
    return TranslationReport(
        num_examples=len(hypotheses),
        bleu=float(bleu_score),
        chrf=float(chrf_score),
        bleu_signature=str(bleu.get_signature()),
        chrf_signature=str(chrf.get_signature()),
    )


def evaluate_summaries(
    hypotheses: Sequence[str], references: Sequence[str], language: str = "en"
) -> SummaryReport:
    """Compares summaries with references by the rouge-score package, without stemming.

    Args:
        hypotheses: list of strings.
        references: list of strings, one a hypothesis.
        language: string. See `evaluate_translations`: of Chinese and Japanese each character is a
            word. Other words are those of rouge-score, ASCII letters and digits, or where most
            letters of the references are no ASCII, any letters and digits. Defaults to `"en"`.

    Raises:
        TinyBertError: If rouge-score is not installed, the numbers differ or there are none.
    """
    rouge_scorer = _rouge()
    hypotheses, references = _checked(hypotheses, references)
    names = ["rouge1", "rouge2", "rougeL"]
    scorer = rouge_scorer.RougeScorer(names, tokenizer=_tokenizer(language, references))
    scores = [
        scorer.score(reference, hypothesis)
        for hypothesis, reference in zip(hypotheses, references, strict=True)
    ]
    means = {name: sum(score[name].fmeasure for score in scores) / len(scores) for name in names}
    return SummaryReport(num_examples=len(scores), **means)


def check_scorer(purpose: str) -> None:
    """Checks that the package is there that scores a decoder: before it is trained for hours.

    Args:
        purpose: string. `"translation"` or `"summarization"`.

    Raises:
        TinyBertError: If it is not installed.
    """
    {"translation": _sacrebleu, "summarization": _rouge}[purpose]()


def _sacrebleu():
    try:
        import sacrebleu.metrics as metrics
    except ImportError as error:
        raise TinyBertError(
            f"Expected sacrebleu for BLEU and chrF: pip install sacrebleu. Received: {error}"
        ) from error
    return metrics


def _rouge():
    try:
        import rouge_score.rouge_scorer as rouge_scorer
    except ImportError as error:
        raise TinyBertError(
            f"Expected rouge-score for ROUGE: pip install rouge-score. Received: {error}"
        ) from error
    return rouge_scorer


def is_chinese(language: str) -> bool:
    """Whether a language code means Chinese."""
    return language.lower().replace("_", "-").split("-")[0] in ("zh", "zho", "chi", "cmn")


def _is_japanese(language: str) -> bool:
    return language.lower().replace("_", "-").split("-")[0] in ("ja", "jpn")


def language_of(texts: Sequence[str]) -> str:
    """`"ja"` where a tenth of the letters are kana, `"zh"` where most are Chinese, else `"en"`."""
    letters = [c for text in texts for c in text if c.isalpha()]
    if 10 * sum("\u3041" <= c <= "\u30ff" for c in letters) > len(letters):
        return "ja"
    chinese = sum("\u3400" <= c <= "\u9fff" for c in letters)
    return "zh" if 2 * chinese > len(letters) else "en"


def _tokenizer(language: str, references: list[str]):
    """What rouge-score calls words; `None` for its own, which know ASCII only."""
    if is_chinese(language) or _is_japanese(language):
        return _Characters()
    letters = [c for text in references for c in text if c.isalpha()]
    return None if 2 * sum(c.isascii() for c in letters) >= len(letters) else _Words()


class _Words:
    """rouge-score's interface of a tokenizer, for letters of any script."""

    def tokenize(self, text: str) -> list[str]:
        return re.findall(r"\w+", text.lower())


class _Characters:
    """rouge-score's interface of a tokenizer."""

    def tokenize(self, text: str) -> list[str]:
        return [character for character in text if not character.isspace()]


def _checked(hypotheses, references) -> tuple[list[str], list[str]]:
    sides = {"hypotheses": hypotheses, "references": references}
    for name, texts in sides.items():
        if isinstance(texts, str) or not all(isinstance(text, str) for text in texts):
            raise TinyBertError(
                f"Expected {name} to be a list of strings. Received: {name} with something else"
            )
    if not len(hypotheses) == len(references) > 0:
        raise TinyBertError(
            "Expected as many hypotheses as references, at least one. "
            f"Received: {len(hypotheses)} and {len(references)}"
        )
    return list(hypotheses), list(references)
