// Keeps the page responsive: the tokenizer and the model run here. A classic worker, since
// LiteRT.js loads its WebAssembly with importScripts(), which module workers lack.

// LiteRT.js would ask for a GPU when it starts; the page uses the CPU. It warns that it found none.
delete WorkerNavigator.prototype.gpu;

const EXAMPLES = 6;
const EXAMPLE_CHARACTERS = 60;

const modules = Promise.all(
  ["bundle", "classifier", "errors"].map((name) => import(`./${name}.js`)),
).then((all) => Object.assign({}, ...all));

let bundle;
let classifier;
let waiting = null; // the newest text that was not yet classified
let busy = false;

self.onmessage = async ({ data }) => {
  if (data.kind === "open") await attempt(() => open(data.base));
  if (data.kind === "check") await attempt(check);
  if (data.kind === "classify") {
    waiting = data;
    if (busy) return;
    busy = true;
    while (waiting) await attempt(() => classify(waiting));
    busy = false;
  }
};

async function attempt(work) {
  try {
    await work();
  } catch (error) {
    waiting = null;
    const { messageOf } = await modules;
    postMessage({ kind: "failed", message: messageOf(error) });
  }
}

async function open(base) {
  const { readBundle, startLiteRt, Classifier } = await modules;
  const folder = new URL("./litert/", self.location);
  const onProgress = (loaded, total) => postMessage({ kind: "progress", loaded, total });
  [bundle] = await Promise.all([readBundle(base, onProgress), startLiteRt(folder)]);
  postMessage({ kind: "compiling" });
  classifier = await Classifier.open(bundle);
  for (const { text } of bundle.golden) bundle.tokenizer.encode(text); // the first are slow
  const { manifest, labels, model, tokenizer } = bundle;
  bundle.model = null; // LiteRT has its own copy
  postMessage({
    kind: "ready",
    manifest,
    labels,
    mask: tokenizer.mask,
    bytes: model.length,
    examples: manifest.examples ?? chooseExamples(bundle.golden),
  });
}

/** Short golden texts, each with another answer; from the end, since the first ones are odd. */
function chooseExamples(golden) {
  const chosen = new Map();
  for (const { text, probabilities } of [...golden].reverse()) {
    const label = probabilities.indexOf(Math.max(...probabilities));
    const isSentence = /^\p{L}[^\p{C}[\]]*\s[^\p{C}[\]]*$/u.test(text);
    if (isSentence && text.length <= EXAMPLE_CHARACTERS && !chosen.has(label)) {
      chosen.set(label, text);
    }
  }
  return [...chosen.values()].slice(0, EXAMPLES);
}

async function classify({ id, text }) {
  waiting = null;
  const start = performance.now();
  const encoded = bundle.tokenizer.encode(text);
  const tokenizing = performance.now() - start;
  const result = await classifier.run(encoded.ids);
  postMessage({ kind: "result", id, encoded, tokenizing, ...result });
  if (result.attention || !encoded.words.length) return;
  const best = result.probabilities.indexOf(Math.max(...result.probabilities));
  const probability = result.probabilities[best];
  const losses = await classifier.influence(encoded, best, probability, async () => {
    await nextTask();
    return !waiting;
  });
  if (losses) postMessage({ kind: "influence", id, label: best, losses });
}

/** Lets messages in that came meanwhile. */
function nextTask() {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = resolve;
    port2.postMessage(null);
  });
}

/** Replays the golden vectors that Python wrote. */
async function check() {
  let tokenizer = 0;
  let difference = 0;
  for (const { text, token_ids, probabilities } of bundle.golden) {
    const { ids } = bundle.tokenizer.encode(text);
    tokenizer += Number(ids.join() !== token_ids.join());
    const own = (await classifier.run(token_ids)).probabilities;
    difference = Math.max(difference, ...own.map((p, i) => Math.abs(p - probabilities[i])));
  }
  postMessage({ kind: "checked", texts: bundle.golden.length, tokenizer, difference });
}
