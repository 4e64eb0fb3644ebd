"""The script of the page: tooltips, light and dark, attention maps."""

SCRIPT = r"""
"use strict";
(() => {
const byId = (id) => document.getElementById(id);
const make = (name, text, parent) => {
  const element = document.createElement(name);
  if (text !== undefined) element.textContent = text;
  if (parent) parent.appendChild(element);
  return element;
};
const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

// === Tooltips ===
const tip = byId("tip");
document.addEventListener("pointermove", (event) => {
  const target = event.target.closest ? event.target.closest("[data-tip]") : null;
  tip.style.opacity = target ? 1 : 0;
  if (!target) return;
  tip.textContent = target.dataset.tip;
  const left = Math.min(event.clientX + 14, innerWidth - tip.offsetWidth - 8);
  const above = event.clientY - tip.offsetHeight - 14;
  tip.style.left = Math.max(left, 8) + "px";
  tip.style.top = (above > 4 ? above : event.clientY + 18) + "px";
});

// === Light and dark ===
const redraws = [];
const redraw = () => redraws.forEach((draw) => draw());
byId("theme").addEventListener("click", () => {
  const root = document.documentElement;
  const dark = getComputedStyle(root).colorScheme === "dark";
  root.dataset.theme = dark ? "light" : "dark";
  redraw();
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);

// === Attention ===
const source = byId("attention-data");
if (!source) return;
const sentences = JSON.parse(source.textContent);

const decode = (model) => {
  const text = atob(model.data);
  const values = new Float32Array(text.length / 2);
  for (let k = 0; k < values.length; k++)
    values[k] = (text.charCodeAt(2 * k) + 256 * text.charCodeAt(2 * k + 1)) / 65535;
  return values;
};

// Probability from token i to token j; head -1 is the mean of all heads.
const reader = (model, values) => (layer, head, i, j) => {
  const n = model.tokens.length;
  const at = (h) => values[((layer * model.heads + h) * n + i) * n + j];
  if (head >= 0) return at(head);
  let sum = 0;
  for (let h = 0; h < model.heads; h++) sum += at(h);
  return sum / model.heads;
};

const panel = (model, hue) => {
  const box = document.createElement("div");
  const read = reader(model, decode(model)), n = model.tokens.length;
  let layer = model.layers - 1, head = -1, hover = null;

  const top = make("div", undefined, box);
  top.className = "model-head";
  make("h3", model.name, top);
  const select = make("select", undefined, top);
  select.setAttribute("aria-label", "head");
  make("option", "mean of " + model.heads + " heads", select).value = -1;
  for (let h = 0; h < model.heads; h++) make("option", "head " + (h + 1), select).value = h;
  const line = make("p", undefined, box);
  line.className = "readout";
  const canvas = make("canvas", undefined, box);
  canvas.className = "map";
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", "attention map of " + model.name);
  const blocks = make("div", undefined, box);
  blocks.className = "blocks";
  if (model.cut) make("p", model.cut + " more tokens are not shown.", box).className = "lead";

  const context = canvas.getContext("2d");
  const font = (size, bold) => (bold ? "600 " : "") + size + "px system-ui, sans-serif";
  const shown = (token) => token.length > 12 ? token.slice(0, 11) + "…" : token;
  let cell = 0, margin = 0;

  const draw = () => {
    const width = box.clientWidth || 340;
    let size = 12;
    context.font = font(size);
    const longest = Math.max(...model.tokens.map((t) => context.measureText(shown(t)).width));
    margin = Math.ceil(longest) + 8;
    cell = Math.max(5, Math.min(34, Math.floor((width - margin - 2) / n)));
    size = Math.max(7, Math.min(12, cell));
    const ratio = devicePixelRatio || 1, side = margin + cell * n + 1;
    canvas.width = side * ratio;
    canvas.height = side * ratio;
    canvas.style.width = side + "px";
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, side, side);
    const ink = color("--ink"), soft = color("--soft"), grid = color("--line");
    context.fillStyle = color(hue);
    for (let i = 0; i < n; i++)
      for (let j = 0; j < n; j++) {
        context.globalAlpha = Math.sqrt(read(layer, head, i, j));
        context.fillRect(margin + j * cell, margin + i * cell, cell - 0.5, cell - 0.5);
      }
    context.globalAlpha = 1;
    context.strokeStyle = grid;
    context.strokeRect(margin - 0.5, margin - 0.5, cell * n + 1, cell * n + 1);
    for (let k = 0; k < n; k++) {
      const row = hover && hover[0] === k, column = hover && hover[1] === k;
      context.font = font(size, row);
      context.fillStyle = row ? ink : soft;
      context.textAlign = "right";
      context.textBaseline = "middle";
      context.fillText(shown(model.tokens[k]), margin - 6, margin + (k + 0.5) * cell);
      context.save();
      context.translate(margin + (k + 0.5) * cell, margin - 6);
      context.rotate(-Math.PI / 2);
      context.textAlign = "left";
      context.font = font(size, column);
      context.fillStyle = column ? ink : soft;
      context.fillText(shown(model.tokens[k]), 0, 0);
      context.restore();
    }
    if (hover) {
      context.strokeStyle = ink;
      context.lineWidth = 1.5;
      const [y, x] = hover.map((k) => margin + k * cell - 0.5);
      context.strokeRect(x, y, cell, cell);
      context.lineWidth = 1;
    }
    const heads = head < 0 ? "mean of heads" : "head " + (head + 1);
    line.textContent = "block " + (layer + 1) + ", " + heads;
    if (hover) {
      line.textContent += ": ";
      const value = read(layer, head, hover[0], hover[1]).toFixed(3);
      make("b", model.tokens[hover[0]] + " → " + model.tokens[hover[1]] + " " + value, line);
    }
    thumbs.forEach((thumb, k) => thumb(k === layer));
  };

  const thumbs = [];
  for (let k = 0; k < model.layers; k++) {
    const button = make("button", undefined, blocks);
    button.type = "button";
    const small = make("canvas", undefined, button);
    make("span", "block " + (k + 1), button);
    small.width = small.height = n;
    const pen = small.getContext("2d");
    thumbs.push((pressed) => {
      button.setAttribute("aria-pressed", pressed);
      pen.clearRect(0, 0, n, n);
      pen.fillStyle = color(hue);
      for (let i = 0; i < n; i++)
        for (let j = 0; j < n; j++) {
          pen.globalAlpha = Math.sqrt(read(k, head, i, j));
          pen.fillRect(j, i, 1, 1);
        }
    });
    button.addEventListener("click", () => { layer = k; draw(); });
  }
  select.addEventListener("change", () => { head = Number(select.value); draw(); });
  const point = (event) => {
    const place = canvas.getBoundingClientRect();
    const j = Math.floor((event.clientX - place.left - margin) / cell);
    const i = Math.floor((event.clientY - place.top - margin) / cell);
    const next = i >= 0 && j >= 0 && i < n && j < n ? [i, j] : null;
    if (String(next) !== String(hover)) { hover = next; draw(); }
  };
  canvas.addEventListener("pointermove", point);
  canvas.addEventListener("pointerdown", point);
  canvas.addEventListener("pointerleave", () => { hover = null; draw(); });
  return [box, draw];
};

const buttons = [];
const show = (index) => {
  const sentence = sentences[index], place = byId("attention-models");
  buttons.forEach((button, k) => button.setAttribute("aria-pressed", k === index));
  byId("sentence-note").textContent = sentence.note;
  place.textContent = "";
  redraws.length = 0;
  sentence.models.forEach((model, k) => {
    const [box, draw] = panel(model, "--c" + k % 6);
    place.appendChild(box);
    redraws.push(draw);
  });
  redraw();  // once all stand in their columns
};
sentences.forEach((sentence, index) => {
  const button = make("button", sentence.text, byId("sentences"));
  button.type = "button";
  button.addEventListener("click", () => show(index));
  buttons.push(button);
});
show(0);
let resized;
addEventListener("resize", () => { clearTimeout(resized); resized = setTimeout(redraw, 120); });
})();
"""
