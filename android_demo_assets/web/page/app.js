// The page: texts go to the worker, the newest answer comes back and is drawn.

import {
  conclude,
  drawAttention,
  drawBars,
  drawInfluence,
  drawWaiting,
  element,
  percent,
  readable,
} from "./view.js";

// A function of one line with a SIMD instruction (i8x16.popcnt of a splat).
const SIMD = [
  0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 10, 1, 8, 0, 65, 0, 253, 15,
  253, 98, 11,
];
// What the box keeps of a long text; the model reads far less.
const KEPT_CHARACTERS = 5000;
const SPOKEN_AFTER_MS = 700;

let worker;
let model; // what the worker said when it was ready
let newest = 0; // the id of the text that was sent last
let answer = null; // the answer that is shown
let showAll = false;
let head = "all";
let speaking;

if (!hasSimd()) {
  fail(
    "This browser lacks WebAssembly SIMD, which the model needs. The page runs in Chrome and Edge " +
      "from 91, Firefox from 114 and Safari from 16.4 on.",
    false,
  );
} else {
  start();
}

function hasSimd() {
  return typeof WebAssembly === "object" && WebAssembly.validate(new Uint8Array(SIMD));
}

function start() {
  element("failure").hidden = true;
  element("loading").hidden = false;
  element("loading-hint").hidden = true;
  element("loading-bar").removeAttribute("value");
  worker = new Worker(new URL("worker.js", import.meta.url));
  worker.onerror = () => fail("The page's worker could not be started: a file is missing.");
  worker.onmessage = ({ data }) => handlers[data.kind](data);
  worker.postMessage({ kind: "open", base: new URL("bundle/", import.meta.url).href });
}

function fail(message, again = true) {
  worker?.terminate();
  for (const id of ["loading", "ask", "answer", "model"]) element(id).hidden = true;
  element("retry").hidden = !again;
  element("failure-text").textContent = message;
  element("failure").hidden = false;
}

// === What the worker says ===

const handlers = {
  progress({ loaded, total }) {
    const megabytes = (bytes) => (bytes / 1e6).toFixed(1);
    const of = total ? ` of ${megabytes(total)}` : "";
    element("loading-text").textContent = `Loading the model: ${megabytes(loaded)}${of} MB`;
    if (total) Object.assign(element("loading-bar"), { max: total, value: loaded });
  },

  compiling() {
    element("loading-text").textContent = "Preparing the model …";
    element("loading-bar").removeAttribute("value");
  },

  ready(data) {
    model = data;
    element("loading").hidden = true;
    element("ask").hidden = false;
    element("model").hidden = false;
    drawFacts();
    drawExamples();
    element("spoken").textContent = "Ready. Type a text.";
    if (element("text").value) ask();
  },

  result(data) {
    if (data.id !== newest) return;
    answer = data;
    const { encoded, probabilities, attention, milliseconds, tokenizing } = data;
    const { text, detail } = conclude(model.manifest, model.labels, probabilities);
    element("answer-label").textContent = text;
    element("answer-detail").textContent = detail;
    element("milliseconds").textContent = milliseconds.toFixed(1);
    element("latency-detail").textContent = `+ ${tokenizing.toFixed(1)} ms tokenizer`;
    drawBars(model.labels, probabilities, showAll);
    if (attention) drawAttention(encoded, attention, head, specials());
    else drawWaiting(encoded.words);
    element("answer").hidden = false;
    element("answer").dataset.id = data.id;
    describeCut(encoded.truncated);
    speak(`${text}. ${detail}.`);
  },

  influence({ id, label, losses }) {
    if (id !== newest) return;
    drawInfluence(answer.encoded.words, losses, readable(model.labels[label]), model.mask);
  },

  checked({ texts, tokenizer, difference }) {
    const cuts = tokenizer
      ? `${tokenizer} of ${texts} texts are cut into other word pieces than in Python`
      : `All ${texts} texts are cut into the same word pieces as in Python`;
    element("checked").textContent =
      `${cuts}; probabilities differ by at most ${difference.toPrecision(2)}.`;
    element("check").disabled = false;
  },

  failed({ message }) {
    fail(message);
  },
};

function specials() {
  const { classify, separate } = model.manifest.tokenizer;
  return [classify, separate];
}

function speak(text) {
  clearTimeout(speaking);
  speaking = setTimeout(() => (element("spoken").textContent = text), SPOKEN_AFTER_MS);
}

// === The text ===

let cutFrom = 0; // how long the text was that the box was too small for

function ask(text = element("text").value) {
  newest += 1;
  if (!text.trim()) {
    element("answer").hidden = true;
    element("note").textContent = "";
    element("clear").hidden = true;
    return;
  }
  element("clear").hidden = false;
  worker.postMessage({ kind: "classify", id: newest, text });
}

/** Classifies a text; keeps the beginning of a long one, so that the browser stays quick. */
function take(text) {
  cutFrom = text.length > KEPT_CHARACTERS ? text.length : 0;
  if (cutFrom) element("text").value = text.slice(0, KEPT_CHARACTERS).replace(/\p{Cs}$/u, "");
  ask(text);
}

function describeCut(truncated) {
  const count = answer.encoded.ids.length - 2;
  const read = truncated ? `The model reads the first ${count} word pieces of a text. ` : "";
  const kept = cutFrom
    ? `Of ${cutFrom.toLocaleString("en")} characters this box keeps the first ` +
      `${KEPT_CHARACTERS.toLocaleString("en")}.`
    : "";
  element("note").textContent = read + kept;
}

element("text").addEventListener("input", () => take(element("text").value));
element("text").addEventListener("paste", (event) => {
  const pasted = event.clipboardData.getData("text/plain");
  if (pasted.length <= KEPT_CHARACTERS) return;
  event.preventDefault(); // before the browser lays out a megabyte
  const { value, selectionStart, selectionEnd } = element("text");
  take(value.slice(0, selectionStart) + pasted + value.slice(selectionEnd));
});
element("clear").addEventListener("click", () => {
  element("text").value = "";
  take("");
  element("text").focus();
});
element("ask").addEventListener("submit", (event) => event.preventDefault());

// === Buttons ===

element("retry").addEventListener("click", start);
element("more").addEventListener("click", () => {
  showAll = !showAll;
  drawBars(model.labels, answer.probabilities, showAll);
});
element("head").addEventListener("change", () => {
  head = element("head").value;
  drawAttention(answer.encoded, answer.attention, head, specials());
});
element("check").addEventListener("click", () => {
  element("check").disabled = true;
  element("checked").textContent = "Comparing …";
  worker.postMessage({ kind: "check" });
});

function drawExamples() {
  const buttons = model.examples.map((text) => {
    const button = document.createElement("button");
    button.type = "button";
    button.dir = "auto";
    button.textContent = text;
    button.addEventListener("click", () => {
      element("text").value = text;
      take(text);
    });
    return button;
  });
  element("examples").replaceChildren(...buttons);
}

function drawFacts() {
  const { manifest, labels, bytes } = model;
  const { score, score_name: scored, examples } = manifest.measured ?? {};
  const lengths = manifest.model.signatures.map((signature) => signature.length).join(", ");
  const facts = {
    Name: manifest.name,
    File: `${manifest.model.file}, ${(bytes / 1e6).toFixed(1)} MB`,
    Target: manifest.model.target,
    Weights: readable(manifest.model.quantization ?? "float32"),
    Reads: `up to ${lengths} word pieces`,
    Labels: labels.length,
    Tokenizer: { bert: "BERT", mediapipe: "MediaPipe" }[manifest.tokenizer.kind],
    Runs: "LiteRT, one thread of the processor",
    Measured: scored && `${readable(scored)} ${score.toFixed(3)} on ${examples} texts`,
    Licence: manifest.licenses?.model,
  };
  if (manifest.out_of_scope) facts["Out of scope"] = ruleOf(manifest.out_of_scope);
  const known = Object.entries(facts).filter(([, value]) => value);
  const rows = known.flatMap(([name, value]) => {
    const [term, detail] = [document.createElement("dt"), document.createElement("dd")];
    term.textContent = name;
    detail.textContent = value;
    return [term, detail];
  });
  element("facts").replaceChildren(...rows);
}

function ruleOf({ score, method, threshold }) {
  const name = score ?? method;
  return name === "probability" ? `below ${percent(threshold)}` : `${name} above ${threshold}`;
}
