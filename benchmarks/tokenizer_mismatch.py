"""What it costs that MediaPipe cuts texts by other rules than BERT.

    python benchmarks/tokenizer_mismatch.py --task sst2 --model PRESET [--data DIR]
    python benchmarks/tokenizer_mismatch.py --task trec_qc --model PRESET --accents

A classifier that was trained on BERT's word pieces (a preset, such as ablation.py's teacher)
scores the dev part twice: as trained, and on the pieces that MediaPipe feeds it. `--accents`
writes the dev texts as careless or foreign keyboards do: an accent on every third word's first
vowel, which BERT's rules remove and MediaPipe's keep.
"""

import json
from pathlib import Path

import command_line
from tasks import TASKS, load, score

import tinybert_tf as tb

ACCENTS = str.maketrans("aeiouAEIOU", "áéíóúÁÉÍÓÚ")


def main() -> None:
    parser = command_line.parser(__doc__, data=True)
    parser.add_argument("--task", choices=TASKS, required=True)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--accents", action="store_true")
    arguments = parser.parse_args()
    texts, labels = load(arguments.task, arguments.data).dev
    if arguments.accents:
        texts = [accented(text) for text in texts]
    model = tb.TinyBertTextClassifier.from_preset(str(arguments.model))
    found, rows = {"task": arguments.task, "texts": len(texts), "accents": arguments.accents}, {}
    for rules in ("bert", "mediapipe"):
        model.use_tokenizer(rules)
        rows[rules] = [ids.tolist() for ids in model.encode(texts).token_ids]
        found[rules] = round(score(TASKS[arguments.task], model, (texts, labels)), 4)
    other = sum(a != b for a, b in zip(rows["bert"], rows["mediapipe"], strict=True))
    found["texts cut otherwise"] = round(other / len(texts), 4)
    print(json.dumps(found))


def accented(text: str) -> str:
    """The first vowel of every third word gets an acute accent."""
    words = text.split(" ")
    for place in range(0, len(words), 3):
        word = words[place]
        vowel = next((i for i, letter in enumerate(word) if letter in "aeiouAEIOU"), None)
        if vowel is not None:
            words[place] = word[:vowel] + word[vowel].translate(ACCENTS) + word[vowel + 1 :]
    return " ".join(words)


if __name__ == "__main__":
    main()
