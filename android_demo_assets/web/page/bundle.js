// Reads the folder that `tinybert-tf bundle` writes, and checks it.

import { PageError } from "./errors.js";
import { readLines, readVocabulary, WordPiece } from "./tokenizer.js";

const FORMAT = "tinybert_tf.bundle";
const NEWEST = 1;

/**
 * Downloads and checks a bundle.
 *
 * @param base URL of the folder, ending in a slash.
 * @param onProgress Called with the bytes of the model that came so far, and how many there are
 *   (0 where the server does not say).
 * @returns {manifest, labels, tokenizer, golden, model}; `model` holds the bytes of the file.
 */
export async function readBundle(base, onProgress) {
  const manifest = await readManifest(base);
  const texts = await Promise.all(
    [manifest.tokenizer.vocabulary, manifest.labels].map((name) => download(base, name)),
  );
  const model = await download(base, manifest.model.file, onProgress);
  const files = [manifest.tokenizer.vocabulary, manifest.labels, manifest.model.file];
  await checkHashes(manifest, files, [...texts, model]);
  const [vocabulary, labels] = texts.map((bytes) => new TextDecoder().decode(bytes));
  return {
    manifest,
    labels: readLines(labels),
    tokenizer: makeTokenizer(manifest.tokenizer, readVocabulary(vocabulary)),
    golden: await readGolden(base),
    model,
  };
}

async function readManifest(base) {
  const bytes = await download(base, "manifest.json");
  let manifest;
  try {
    manifest = JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    throw new PageError("manifest.json is damaged: it is no JSON. Build the bundle again.");
  }
  if (manifest.format !== FORMAT) {
    throw new PageError(`manifest.json is not one of ${FORMAT}. Build the bundle again.`);
  }
  if (!(manifest.format_version <= NEWEST)) {
    throw new PageError(
      `This bundle is of format version ${manifest.format_version}; this page reads up to ` +
        `${NEWEST}. Build the page again with a newer tinybert_tf.`,
    );
  }
  if (manifest.task !== "classification") {
    throw new PageError(`This page shows classifiers. The bundle is for ${manifest.task}.`);
  }
  return manifest;
}

function makeTokenizer(settings, vocabulary) {
  try {
    return new WordPiece(settings, vocabulary);
  } catch (error) {
    throw new PageError(`The bundle's tokenizer cannot be used. ${error.message}`);
  }
}

async function readGolden(base) {
  const bytes = await download(base, "golden.jsonl");
  return readLines(new TextDecoder().decode(bytes)).map((line) => JSON.parse(line));
}

/** The bytes of a file of the bundle. */
async function download(base, name, onProgress) {
  let response;
  try {
    // "no-cache": the browser asks the server whether its copy is still the newest.
    response = await fetch(new URL(name, base), { cache: "no-cache" });
  } catch {
    throw new PageError(`${name} could not be loaded: the server does not answer.`);
  }
  if (!response.ok) {
    throw new PageError(`${name} could not be loaded: the server answers ${response.status}.`);
  }
  if (!onProgress) return new Uint8Array(await response.arrayBuffer());
  return readAll(response, onProgress);
}

async function readAll(response, onProgress) {
  const total = Number(response.headers.get("Content-Length") ?? 0);
  const parts = [];
  let loaded = 0;
  const reader = response.body.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    parts.push(value);
    loaded += value.length;
    onProgress(loaded, total);
  }
  return new Uint8Array(await new Blob(parts).arrayBuffer());
}

/** Compares SHA-256 where the browser computes it: on localhost and over https. */
async function checkHashes(manifest, names, contents) {
  if (!globalThis.crypto?.subtle) return;
  for (const [place, name] of names.entries()) {
    const expected = manifest.sha256?.[name];
    if (!expected) continue;
    const digest = await crypto.subtle.digest("SHA-256", contents[place]);
    const hex = [...new Uint8Array(digest)].map((b) => b.toString(16).padStart(2, "0")).join("");
    if (hex !== expected) {
      throw new PageError(
        `${name} is not the file that manifest.json describes: it was changed, or not copied ` +
          "whole. Copy the bundle again.",
      );
    }
  }
}
