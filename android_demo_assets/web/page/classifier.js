// Runs the .tflite file of a bundle with LiteRT.js, on the CPU and in one thread.

import { PageError } from "./errors.js";
import { loadAndCompile, loadLiteRt, Tensor } from "./litert/litert.js";

const INPUTS = ["ids", "mask", "segment_ids"];

/** Loads LiteRT's WebAssembly; once a page. */
export async function startLiteRt(folder) {
  // Emscripten looks for the .wasm beside the worker's script unless it is told.
  self.Module = { locateFile: (name) => new URL(name, folder).href };
  try {
    await loadLiteRt(folder.href);
  } catch (error) {
    throw new PageError(`LiteRT could not be started: ${error.message ?? error}`);
  }
}

/** A text classifier. */
export class Classifier {
  /**
   * Compiles the file of a bundle and runs it once, since the first run is slow.
   *
   * @param bundle What `readBundle` returns.
   */
  static async open(bundle) {
    let compiled;
    try {
      compiled = await loadAndCompile(bundle.model, { accelerator: "wasm" });
    } catch (error) {
      throw new PageError(
        `${bundle.manifest.model.file} is broken, or no file for LiteRT (${error.message}). ` +
          "Export it again.",
      );
    }
    const classifier = new Classifier(bundle, compiled);
    for (const { length } of classifier.signatures) {
      await classifier.run(bundle.tokenizer.encode("").ids, length);
    }
    return classifier;
  }

  constructor({ manifest, labels, tokenizer }, compiled) {
    this.tokenizer = tokenizer;
    this.labels = labels;
    this.signatures = manifest.model.signatures.map(({ name }) =>
      readSignature(compiled, name, manifest.model.inputs),
    );
    this.signatures.sort((a, b) => a.length - b.length);
    const classes = this.signatures[0].classes;
    if (classes !== labels.length) {
      throw new PageError(
        `The model has ${classes} classes, ${manifest.labels} has ${labels.length} lines. ` +
          "Build the bundle again.",
      );
    }
  }

  /**
   * Runs the shortest graph that holds the ids.
   *
   * @param ids Token ids, [CLS] and [SEP] included, not padded.
   * @param length Of at least this length. Defaults to that of the ids.
   * @returns {probabilities, attention, milliseconds}; attention is an array of a row a head with
   *   a number a token id, or null where the file puts out none.
   */
  async run(ids, length = ids.length) {
    const signature = this.signatures.find((one) => one.length >= length);
    if (!signature) throw new PageError(`No graph of the model reads ${length} word pieces.`);
    const start = performance.now();
    const inputs = signature.inputs.map((name) => {
      const row = new Int32Array(signature.length);
      if (name === "ids") row.set(ids);
      if (name === "mask") row.fill(1, 0, ids.length);
      return new Tensor(row, [1, signature.length]);
    });
    const outputs = await signature.runner.run(inputs);
    const arrays = await Promise.all(outputs.map(async (tensor) => (await tensor.data()).slice()));
    const milliseconds = performance.now() - start;
    for (const tensor of [...inputs, ...outputs]) tensor.delete();
    return {
      probabilities: Array.from(arrays[signature.output]),
      attention: attentionRows(arrays[signature.attention], signature.length, ids.length),
      milliseconds,
    };
  }

  /**
   * How much each word matters: what the probability of a label loses when the word's pieces are
   * replaced by the mask token.
   *
   * @param encoded What the tokenizer returned.
   * @param label Index of the label.
   * @param probability The label's probability for the whole text.
   * @param goOn Asked between two runs; false ends the work.
   * @returns A number a word, or null if it was ended.
   */
  async influence({ ids, words }, label, probability, goOn) {
    const losses = [];
    for (const { start, pieces } of words) {
      if (!(await goOn())) return null;
      const hidden = ids.slice();
      hidden.fill(this.tokenizer.maskId, start, start + pieces.length);
      losses.push(probability - (await this.run(hidden)).probabilities[label]);
    }
    return losses;
  }
}

function readSignature(compiled, name, order) {
  const runner = compiled.signatures[name];
  if (!runner) {
    const known = Object.keys(compiled.signatures).join(", ");
    throw new PageError(
      `The model has no signature ${name}, only ${known}. Build the bundle again.`,
    );
  }
  const names = runner.getInputDetails().map((input) => input.name);
  const outputs = runner.getOutputDetails();
  const attention = outputs.findIndex((output) => output.name.includes("attention"));
  const output = outputs.findIndex((_, place) => place !== attention);
  return {
    runner,
    inputs: INPUTS.every((input) => names.includes(input)) ? names : order,
    length: runner.getInputDetails()[0].shape.at(-1),
    classes: outputs[output].shape.at(-1),
    output,
    attention,
  };
}

/** Rows of `used` numbers out of an array whose last axis is `length` long. */
function attentionRows(array, length, used) {
  if (!array) return null;
  const rows = [];
  for (let at = 0; at < array.length; at += length) {
    rows.push(Array.from(array.slice(at, at + used)));
  }
  return rows;
}
