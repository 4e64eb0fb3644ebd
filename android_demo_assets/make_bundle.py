"""Makes the demo bundle beside this file: 22 phone-assistant intents in under 8 MB.

    python android_demo_assets/make_bundle.py [--work DIR] [--out FOLDER]

Teacher: MiniLM-L6-H384, fine-tuned on the embedded intents. Student: 3 of its blocks and 8,000 of
its 30,522 tokens (what the sentences need, then the most frequent), distilled, then trained on
for target `weight_only`: int8 weights, int4 word table, computed in float32, so that the golden
vectors hold on every device. A killed run goes on from DIR. The scores in the bundle are those of
its file on the 352 sentences written by hand.
"""

import argparse
from pathlib import Path

import tinybert_tf as tb
from tinybert_tf import export

HERE = Path(__file__).resolve().parent
LENGTH, TOKENS = 32, 8000


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--work", type=Path, default=Path("runs/demo_bundle"))
    parser.add_argument("--out", type=Path, default=HERE / "bundle")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--per-intent", type=int, default=200, help="training sentences an intent")
    parser.add_argument("--epochs", type=int, default=5, help="of each stage of distillation")
    parser.add_argument("--learning-rate", type=float, default=2e-4, help="of the teacher")
    parser.add_argument("--blocks", type=int, default=3, help="of the student")
    parser.add_argument("--teacher", default=None, help="pretrained encoder; default MiniLM")
    parser.add_argument("--verbose", type=int, default=2)
    arguments = parser.parse_args()
    bundle = make(arguments)
    measured = bundle.manifest["measured"]
    print(f"{bundle.folder}: {bundle.size_bytes / 1e6:.2f} MB, {measured['score']:.4f} by hand")


def make(arguments: argparse.Namespace) -> export.Bundle:
    """Trains, exports and bundles."""
    common = {"seed": arguments.seed, "verbose": arguments.verbose}
    data = tb.load_intents(seed=arguments.seed, per_intent=arguments.per_intent)
    teacher = tb.TinyBertTextClassifier.from_hf(
        str(arguments.teacher or tb.default_teacher()), labels=data.labels, sequence_length=LENGTH
    )
    pruned = tb.prune_vocabulary(teacher, data.train[0], max_size=TOKENS, fill=True)
    teacher = pruned.classifier
    tb.finetune(
        teacher,
        *data.train,
        validation_data=data.dev,
        epochs=4,
        learning_rate=arguments.learning_rate,
        run_dir=arguments.work / "teacher",
        **common,
    )
    student = tb.student_of(
        teacher, num_layers=arguments.blocks, texts=data.train[0], seed=arguments.seed
    )
    tb.distill(
        teacher,
        student,
        *data.train,
        validation_data=data.dev,
        epochs=arguments.epochs,
        learning_rate=1e-4,
        run_dir=arguments.work / "student",
        **common,
    )
    quantized = export.quantize_aware(student, "weight_only_int8_int4_embedding")
    tb.distill(
        teacher,
        quantized,
        *data.train,
        validation_data=data.dev,
        stages="prediction",
        epochs=1,
        learning_rate=5e-5,
        run_dir=arguments.work / "int8",
        **common,
    )
    file = export.to_tflite(
        quantized, arguments.work / "model.tflite", target="weight_only", attention=True
    ).path
    return export.write_bundle(
        file,
        arguments.out,
        examples=data.test[0],
        labels=data.test[1],
        origin={
            "made by": "android_demo_assets/make_bundle.py",
            "data": f"{len(data.train[0]):,} sentences from the embedded grammar",
            "scored on": f"{len(data.test[0])} sentences written by hand",
            "teacher": "MiniLM-L6-H384",
            "student": f"{arguments.blocks} of its blocks, {student.count_params():,} parameters",
            "seed": arguments.seed,
        },
        name="Phone-assistant intents",
        license="Apache-2.0 (MiniLM-L6-H384, fine-tuned)",
        overwrite=True,
    )


if __name__ == "__main__":
    main()
