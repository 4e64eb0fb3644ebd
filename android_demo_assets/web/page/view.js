// Draws an answer: bars of probabilities and shaded words.

const SHOWN = 5;

export const element = (id) => document.getElementById(id);

/** An element with a class and text. */
function make(tag, className, text = "") {
  const made = document.createElement(tag);
  made.className = className;
  made.textContent = text;
  return made;
}

export function percent(share) {
  const points = share * 100;
  return points > 0 && points < 0.1 ? "< 0.1 %" : `${points.toFixed(1)} %`;
}

/** "alarm_set" as people write it. */
export function readable(label) {
  return label.replaceAll("_", " ");
}

/**
 * What a classifier says: {text, detail}.
 *
 * @param manifest The bundle's.
 * @param labels Names of the classes.
 * @param probabilities One a class.
 */
export function conclude(manifest, labels, probabilities) {
  if (manifest.multi_label) {
    const found = labels.filter((_, place) => probabilities[place] >= 0.5);
    return found.length
      ? { text: found.map(readable).join(", "), detail: "each 50 % or more" }
      : { text: "None", detail: "no label reaches 50 %" };
  }
  const highest = Math.max(...probabilities);
  const best = readable(labels[probabilities.indexOf(highest)]);
  const rule = manifest.out_of_scope;
  if (rule && isOutOfScope(rule, probabilities)) {
    return { text: "Out of scope", detail: `None of the labels; nearest is ${best}` };
  }
  return { text: best, detail: `${percent(highest)} sure` };
}

function isOutOfScope(rule, probabilities) {
  const score = rule.score ?? rule.method;
  if (score === "probability") return Math.max(...probabilities) < rule.threshold;
  if (score === "entropy") {
    const terms = probabilities.map((p) => (p > 0 ? -p * Math.log(p) : 0));
    return terms.reduce((sum, term) => sum + term, 0) > rule.threshold;
  }
  return false; // the energy needs logits, which the file does not put out
}

/** Draws the most probable labels, or all of them. */
export function drawBars(labels, probabilities, all) {
  const order = labels.map((_, place) => place);
  order.sort((a, b) => probabilities[b] - probabilities[a] || a - b);
  const rows = order.slice(0, all ? labels.length : SHOWN).map((place, rank) => {
    const row = make("li", rank ? "" : "first");
    row.dataset.probability = probabilities[place];
    const bar = make("div", "bar");
    bar.setAttribute("aria-hidden", "true");
    bar.style.setProperty("--share", probabilities[place]);
    row.append(
      make("span", "name", readable(labels[place])),
      make("span", "", percent(probabilities[place])),
      bar,
    );
    return row;
  });
  element("bars").replaceChildren(...rows);
  const more = element("more");
  more.hidden = labels.length <= SHOWN;
  more.textContent = all ? `Only the first ${SHOWN}` : `All ${labels.length} labels`;
  more.setAttribute("aria-expanded", String(all));
}

/** Draws words that are still being measured. */
export function drawWaiting(words) {
  drawWords(words.map((word) => ({ parts: [{ text: word.text, share: 0, figure: "" }], word })));
  element("words").className = "waiting";
  element("words-title").textContent = "What each word does";
  element("words-detail").textContent = "Measuring …";
  element("legend").replaceChildren();
}

/** Draws what the answer's probability loses with each word. */
export function drawInfluence(words, losses, label, mask) {
  const most = Math.max(...losses.map(Math.abs), 0.01);
  drawWords(
    words.map((word, place) => ({
      word,
      parts: [{ text: word.text, share: losses[place] / most, figure: points(losses[place]) }],
    })),
  );
  element("words-title").textContent = "What each word does";
  element("words-detail").textContent =
    `Measured: each word in turn is replaced by ${mask} and the model runs again. The number is ` +
    `how many percentage points “${label}” loses without the word. It is no attention, ` +
    "which this file does not put out.";
  element("legend").replaceChildren(
    make("span", "for", `for “${label}”`),
    make("span", "against", "against it"),
  );
}

function points(loss) {
  const rounded = Math.round(loss * 100);
  if (!rounded) return "0";
  return rounded > 0 ? `+${rounded}` : `−${-rounded}`;
}

/**
 * Draws what [CLS] looks at: a head's attention, or that of all heads on average.
 *
 * @param encoded What the tokenizer returned.
 * @param rows Attention probabilities, a row a head.
 * @param head Which row, or "all".
 * @param specials The texts of the first and the last token.
 */
export function drawAttention({ ids, words }, rows, head, specials) {
  const chosen = head === "all" ? rows : [rows[head]];
  const mean = ids.map((_, at) => chosen.reduce((sum, row) => sum + row[at], 0) / chosen.length);
  const most = Math.max(...mean);
  const part = (text, at) => ({ text, share: mean[at] / most, figure: percent(mean[at]) });
  const shown = words.map((word) => ({
    word,
    parts: word.unknown
      ? [part(word.text, word.start)]
      : word.pieces.map((piece, place) => part(piece, word.start + place)),
  }));
  const [classify, separate] = specials;
  shown.unshift({ word: {}, parts: [part(classify, 0)] });
  shown.push({ word: {}, parts: [part(separate, ids.length - 1)] });
  drawWords(shown);
  element("words-title").textContent = "What the model looks at";
  element("words-detail").textContent =
    `Attention of the token ${classify} in the last layer to each word piece; in all 100 %.`;
  element("legend").replaceChildren();
  drawHeads(rows.length, head);
}

function drawHeads(count, head) {
  element("heads").hidden = count < 2;
  if (element("head").length === count + 1) return;
  const options = [new Option("All heads", "all")];
  for (let place = 0; place < count; place++) options.push(new Option(`Head ${place + 1}`, place));
  element("head").replaceChildren(...options);
  element("head").value = head;
}

/** Each word {parts: [{text, share, figure}], word}; the shares lie between -1 and 1. */
function drawWords(list) {
  const made = list.map(({ parts, word }) => {
    const box = make("span", "word");
    for (const { text, share, figure } of parts) {
      const piece = make("span", `piece ${share < 0 ? "against" : "for"}`);
      piece.style.setProperty("--strength", (Math.abs(share) * 0.6).toFixed(3));
      piece.dataset.share = share;
      piece.classList.toggle("strong", Math.abs(share) > 0.3);
      const name = make("span", word.unknown ? "unknown" : "", text);
      if (word.unknown) name.title = "not in the vocabulary";
      piece.append(name, make("small", "", figure));
      box.append(piece);
    }
    return box;
  });
  element("words").className = "";
  element("words").replaceChildren(...made);
}
