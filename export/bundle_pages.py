"""The two pages of a bundle that people read: its model card and its README."""

from tinybert_tf.evaluate.tasks import Report

_CARD = """# {name}

{summary}

## Use

Task: {task}. Input: {input}. Output: {output}.

{out_of_scope}## Measured

{measured}

Accuracy is that of `model.tflite` itself, run by LiteRT on a CPU. The latency was taken on one
machine and is no promise for a phone: `README.md` says how to run it there.
{report}
## How it was made

{origin}

## Limits

- It knows the language and the kind of text that it was trained on; check it on yours.
- {long_texts}
- Probabilities are a model's confidence, not a guarantee; choose a threshold on your own data.
- What its training data gets wrong about people, it may get wrong too.

## Licences

Weights: {license}. tinybert_tf, which made the file: Apache-2.0. The data's licence is in force
besides.
"""

_README = """# {name}: what to copy into an app

| file | for |
|---|---|
| model.tflite | the model, {size:.1f} MB, {quantization}; MediaPipe metadata inside |
| vocab.txt, labels.txt | tokens and labels, one a line |
| manifest.json | inputs, tokenizer rules, thresholds, measurements, checksums |
| golden.jsonl | {rows} texts with their ids and outputs: run them on the device once |

Check the folder at any time: `tinybert-tf verify FOLDER` compares the checksums and replays
golden.jsonl.

Copy `model.tflite`, `vocab.txt`, `labels.txt` and `manifest.json` into `app/src/main/assets/`, and
keep the model uncompressed: `androidResources {{ noCompress += "tflite" }}`.

{mediapipe}## LiteRT, CPU or GPU

Dependency: `com.google.ai.edge.litert:litert`. The inputs are int32 `[1, S]`, in the order
{order}; S is {lengths}. {tokenizer}

```kotlin
import com.google.ai.edge.litert.Accelerator
import com.google.ai.edge.litert.CompiledModel

val model = CompiledModel.create(
    context.assets,
    "model.tflite",
    CompiledModel.Options(Accelerator.CPU),  // or Accelerator.GPU
)

fun run(ids: IntArray, mask: IntArray, segments: IntArray): FloatArray {{
    val inputs = model.createInputBuffers({signature})
    listOf({buffers}).forEachIndexed {{ i, row -> inputs[i].writeInt(row) }}
    return model.run(inputs{run_signature})[0].readFloat()  // {output}
}}
```

Pad `ids` with 0 and `mask` with 0 up to S. {gpu}

## NNAPI

NNAPI is deprecated since Android 15: for phones whose apps rely on it already, with
`org.tensorflow.lite.Interpreter` and `NnApiDelegate`. {nnapi}
"""

_MEDIAPIPE = """## MediaPipe Tasks

Dependency: `com.google.mediapipe:tasks-text`. MediaPipe tokenizes itself, from the metadata in the
file.
{rules}

```kotlin
import com.google.mediapipe.tasks.text.textclassifier.TextClassifier

val classifier = TextClassifier.createFromFile(context, "model.tflite")
val best = classifier.classify("a text").classificationResult()
    .classifications()[0].categories()[0]
println("${{best.categoryName()}} ${{best.score()}}")
```

"""
_OWN_RULES = "This model was trained with MediaPipe's rules: the answers are those of golden.jsonl."
_OTHER_RULES = (
    "Its tokenizer is not BERT's, with which this model was trained: it keeps accents and capitals "
    "beyond ASCII, so that texts with them (and other scripts than Latin) get other answers. Train "
    'with `tokenizer="mediapipe"` for this road, or take the next one.'
)
_BERT_TOKENIZER = (
    "The tokenizer is `WordPieceTokenizer` of tinybert_tf's\n`android_demo_assets/java` (plain "
    "Java, no dependency), or anything that reproduces golden.jsonl."
)
_MEDIAPIPE_TOKENIZER = (
    "The tokenizer follows MediaPipe's rules, not\nBERT's: `tokenizer.js` of tinybert_tf's "
    "`android_demo_assets/web` does, or anything that reproduces\ngolden.jsonl; its Java class "
    "`WordPieceTokenizer` does not."
)
_INPUTS = {
    "qa": "a question and a text",
    "pair_classification": "two texts",
    "pair_regression": "two texts",
}
_OUTPUTS = {
    "classification": "a probability for each of the {count} labels",
    "regression": "the score",
    "ner": "a probability for each of the {count} tags, token by token",
    "qa": "logits of an answer's start and end, token by token",
    "embedding": "a vector of {count} numbers of length one",
}


def model_card(manifest: dict, report: Report | None) -> str:
    """The model card, Markdown."""
    model, measured = manifest["model"], manifest["measured"]
    scope = manifest["out_of_scope"]
    rule = ""
    if scope:
        rule = (
            f"Texts of no known class: their {scope['score']} passes the threshold "
            f"{scope['threshold']:.4g}; `manifest.json` has it.\n\n"
        )
    return _CARD.format(
        name=manifest["name"],
        summary=f"A compressed BERT for phones: {model['size_bytes'] / 1e6:.1f} MB, "
        f"{model['quantization']}, target `{model['target']}`.",
        task=manifest["task"],
        input=_INPUTS.get(manifest["task"], "a text"),
        output=output_of(manifest),
        out_of_scope=rule,
        measured=_table(_measured_rows(measured)),
        report=_by_class(report),
        origin=_table(_flat(manifest["origin"])) or "Not recorded: the bundle was made of a file.",
        long_texts=_long_texts(manifest),
        license=manifest["licenses"]["model"] or "not stated; fill in before you ship",
    )


def _long_texts(manifest: dict) -> str:
    length = manifest["tokenizer"]["max_length"]
    if manifest["task"] in ("ner", "qa"):
        return f"A text beyond {length} tokens is read in overlapping windows, a call each."
    return f"A text beyond {length} tokens is cut at the end."


def readme(manifest: dict) -> str:
    """The bundle's README, Markdown."""
    model, tokenizer = manifest["model"], manifest["tokenizer"]
    names = [entry["name"] for entry in model["signatures"]]
    single = len(names) == 1
    mediapipe = ""
    if manifest["task"] == "classification" and single:
        rules = _OWN_RULES if tokenizer["kind"] == "mediapipe" else _OTHER_RULES
        mediapipe = _MEDIAPIPE.format(rules=rules)
    lengths = " or ".join(str(entry["length"]) for entry in model["signatures"])
    delegates = manifest["delegates"]
    rows = {"ids": "ids", "mask": "mask", "segment_ids": "segments"}
    return _README.format(
        name=manifest["name"],
        size=model["size_bytes"] / 1e6,
        quantization=model["quantization"],
        rows=manifest["golden"]["rows"],
        mediapipe=mediapipe,
        order=", ".join(f"`{name}`" for name in model["inputs"]),
        tokenizer=_MEDIAPIPE_TOKENIZER if tokenizer["kind"] == "mediapipe" else _BERT_TOKENIZER,
        lengths=lengths + ("" if single else ", a signature each (`tokens_S`)"),
        signature="" if single else '"tokens_${ids.size}"',
        run_signature="" if single else ', "tokens_${ids.size}"',
        buffers=", ".join(rows[name] for name in model["inputs"]),
        output=output_of(manifest),
        gpu=_sentence(delegates["gpu_litert"], "LiteRT's GPU accelerator"),
        nnapi=_sentence(delegates["nnapi"], "NNAPI"),
    )


def output_of(manifest: dict) -> str:
    """What the model puts out, in words."""
    return _OUTPUTS[manifest["task"].removeprefix("pair_")].format(
        count=manifest["model"]["outputs"]
    )


def _sentence(delegate: dict, name: str) -> str:
    accepted, total = delegate["accepted"], delegate["total"]
    if accepted == total:
        level = delegate["android_api_level"]
        return f"{name} takes all {total} operators" + (
            f", from Android API level {level} on." if level else "."
        )
    return (
        f"{name} takes {accepted} of {total} operators, and every change between it and the CPU "
        "costs time: measure. `tinybert-tf inspect model.tflite` says which, and why."
    )


def _measured_rows(measured: dict) -> dict:
    told = ("latency_ms", "score_name", "score", "tokens", "threads", "examples", "machine")
    rows = {}
    if "score" in measured:
        name = measured["score_name"]
        rows[name] = f"{measured['score']:.4f} on {measured['examples']:,} examples"
    rows["latency"] = (
        f"{measured['latency_ms']:.2f} ms a text of {measured['tokens']} tokens, "
        f"{measured['threads']} threads, {measured['machine']}"
    )
    others = {name: value for name, value in measured.items() if name not in told}
    named = {name.replace("_", " "): f"{value:.4f}" for name, value in others.items()}
    return named | rows


def _by_class(report: Report | None) -> str:
    """A row a class, where the report has them."""
    classes = getattr(report, "per_class", ())
    if not classes:
        return ""
    lines = ["", "| class | precision | recall | F1 | examples |", "|---|---|---|---|---|"]
    lines += [
        f"| {_cell(one.label)} | {one.precision:.3f} | {one.recall:.3f} | {one.f1:.3f} "
        f"| {one.support} |"
        for one in classes
    ]
    return "\n".join(lines) + "\n"


def _flat(values: dict, prefix: str = "") -> dict:
    rows = {}
    for key, value in values.items():
        if isinstance(value, dict):
            rows |= _flat(value, f"{prefix}{key} ")
        elif value is not None and value != []:
            rows[f"{prefix}{key}".replace("_", " ")] = value
    return rows


def _table(rows: dict) -> str:
    if not rows:
        return ""
    lines = [f"| {_cell(key)} | {_cell(value)} |" for key, value in rows.items()]
    return "\n".join(["| | |", "|---|---|", *lines])


def _cell(value) -> str:
    return " ".join(str(value).split()).replace("|", "\\|")
