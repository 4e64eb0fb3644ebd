// Text to word pieces, as Hugging Face's BertTokenizer or as MediaPipe's TextClassifier cuts it.

import {
  CHINESE,
  MEDIAPIPE_ALONE,
  NONSPACING,
  PUNCTUATION,
  REMOVED,
} from "./unicode_tables.js";

const removed = new RegExp(`[${REMOVED}]`, "gu");
const nonspacing = new RegExp(`[${NONSPACING}]`, "gu");
const chinese = new RegExp(`[${CHINESE}]`, "gu");
// Characters with accents that came into Unicode from version 13 on, after Hugging Face's tables:
// there they stay whole.
const NEWER =
  "\\u{105c9}\\u{105e4}\\u{11383}\\u{11385}\\u{1138e}\\u{11391}\\u{113c5}\\u{113c7}\\u{113c8}" +
  "\\u{11938}\\u{16121}-\\u{16128}\\u{16d68}-\\u{16d6a}";
const decomposable = new RegExp(`[^${NEWER}]+`, "gu");
const bertWord = new RegExp(`[${PUNCTUATION}]|[^${PUNCTUATION}\\p{White_Space}]+`, "gu");
const mediapipeWord = new RegExp(
  `[${MEDIAPIPE_ALONE}]|[^${MEDIAPIPE_ALONE}\\t\\n\\f\\r ]+`,
  "gu",
);
// What UTF-16 allows and text does not: half a character.
const halfCharacter = /\p{Cs}/gu;
const MEDIAPIPE_BYTES_PER_WORD = 100;
const SHOWN_CHARACTERS = 60;

/** The tokens of a vocab.txt; the line number is the id. */
export function readVocabulary(text) {
  return readLines(text);
}

/** The lines of a file, without those that are empty at its end. */
export function readLines(text) {
  const lines = text.replaceAll("\r\n", "\n").split("\n");
  while (lines.length && !lines.at(-1)) lines.pop();
  return lines;
}

/**
 * Cuts texts into the word pieces of a vocabulary.
 *
 * @param settings The field `tokenizer` of a bundle's manifest.json.
 * @param vocabulary Tokens in the order of their ids.
 */
export class WordPiece {
  constructor(settings, vocabulary) {
    if (!["bert", "mediapipe"].includes(settings.kind)) {
      throw new Error(`Expected a tokenizer of kind bert or mediapipe. Received: ${settings.kind}`);
    }
    this.settings = settings;
    this.vocabulary = vocabulary;
    this.idOf = new Map(vocabulary.map((token, id) => [token, id]));
    const { unknown, classify, separate, pad, mask = "[MASK]" } = settings;
    for (const token of [unknown, classify, separate, pad]) {
      if (!this.idOf.has(token)) {
        throw new Error(`Expected ${token} in ${settings.vocabulary}. It has none.`);
      }
    }
    this.unknownId = this.idOf.get(unknown);
    // What stands for a word that is hidden from the model.
    this.mask = this.idOf.has(mask) ? mask : unknown;
    this.maskId = this.idOf.get(this.mask);
    this.specials = new Set([unknown, classify, separate, pad, mask]);
    const escaped = [...this.specials].map((token) => token.replace(/[[\]\\^$.*+?(){}|]/g, "\\$&"));
    this.special = new RegExp(`(${escaped.join("|")})`, "u");
  }

  /**
   * Returns {ids, words, truncated}: ids with [CLS] and [SEP], cut to the length that the model
   * reads; words [{text, start, pieces, unknown}], where `text` is for the eye and `start` is the
   * place of the first piece among the ids; and whether text was left out. Stops at the cut.
   */
  encode(text) {
    const room = this.settings.max_length - 2;
    const ids = [this.idOf.get(this.settings.classify)];
    const words = [];
    let truncated = false;
    for (const word of this.words(text)) {
      const found = this.piecesOf(word);
      const left = room - (ids.length - 1);
      truncated = found.length > left;
      const pieces = found.slice(0, left);
      if (pieces.length) {
        const unknown = pieces[0] === this.unknownId;
        words.push({
          text: shorten(word),
          start: ids.length,
          pieces: pieces.map((id) => this.vocabulary[id]),
          unknown,
        });
        ids.push(...pieces);
      }
      if (truncated) break;
    }
    ids.push(this.idOf.get(this.settings.separate));
    return { ids, words, truncated };
  }

  /** Yields the words of a text one by one, as the model's vocabulary writes them. */
  *words(text) {
    const whole = text.replace(halfCharacter, "\ufffd");
    if (this.settings.kind === "mediapipe") {
      yield* mediapipeWords(whole);
      return;
    }
    // Special tokens that stand in a text are tokens; split() puts them at odd places.
    for (const [place, part] of whole.split(this.special).entries()) {
      if (place % 2) yield part;
      else for (const [word] of normalize(part, this.settings).matchAll(bertWord)) yield word;
    }
  }

  /** The ids of a word's greedy longest pieces, or of the unknown token. */
  piecesOf(word) {
    if (this.settings.kind === "bert" && this.specials.has(word)) {
      return [this.idOf.get(word) ?? this.unknownId];
    }
    if (this.isTooLong(word)) return [this.unknownId];
    const characters = [...word];
    const ids = [];
    for (let start = 0; start < characters.length; ) {
      let end = characters.length;
      let id;
      for (; end > start; end--) {
        const piece = characters.slice(start, end).join("");
        id = this.idOf.get(start ? `##${piece}` : piece);
        if (id !== undefined) break;
      }
      if (id === undefined) return [this.unknownId];
      ids.push(id);
      start = end;
    }
    return ids;
  }

  isTooLong(word) {
    if (this.settings.kind === "mediapipe") {
      const most = MEDIAPIPE_BYTES_PER_WORD;
      return word.length > most || new TextEncoder().encode(word).length > most;
    }
    const most = this.settings.max_characters_per_word;
    return word.length > 2 * most || [...word].length > most;
  }
}

/** The beginning of a word, without half a character. */
function shorten(word) {
  if (word.length <= SHOWN_CHARACTERS) return word;
  return `${word.slice(0, SHOWN_CHARACTERS).replace(/\p{Cs}$/u, "")}…`;
}

/** BERT's cleaning; white space stays as it is, since words end there anyway. */
function normalize(text, settings) {
  let result = text.replace(removed, "");
  if (settings.split_chinese) result = result.replace(chinese, " $& ");
  if (settings.strip_accents) {
    result = result.replace(decomposable, (part) => part.normalize("NFD")).replace(nonspacing, "");
  }
  // Sigma has a form of its own at the end of words, which BERT does not use.
  return settings.lowercase ? result.replaceAll("Σ", "σ").toLowerCase() : result;
}

function* mediapipeWords(text) {
  const end = text.indexOf("\0"); // MediaPipe takes C strings
  const lower = (end < 0 ? text : text.slice(0, end)).replace(/[A-Z]+/g, (part) =>
    part.toLowerCase(),
  );
  for (const [word] of lower.matchAll(mediapipeWord)) yield word;
}
