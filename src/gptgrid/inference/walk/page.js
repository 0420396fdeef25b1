// Draws the attention maps, and says what stands under the pointer.
"use strict";
const { labels, weights, texts } = JSON.parse(document.getElementById("data").textContent);
const [large, maps, which, reading] = ["large", "maps", "which", "reading"].map((id) => document.getElementById(id));
const LABELLED = 24;  // tokens; of more, the names would not fit beside a map

function filled(text, values) {
  return text.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
}

function draw(canvas, map) {
  const context = canvas.getContext("2d");
  canvas.map = map;
  canvas.width = canvas.height = map.length;
  context.fillStyle = getComputedStyle(document.body).color;
  map.forEach((row, query) => row.forEach((weight, key) => {
    context.globalAlpha = weight;
    context.fillRect(key, query, 1, 1);
  }));
}

function select(layer, head, button) {
  draw(large, weights[layer][head]);
  for (const other of maps.querySelectorAll("button")) other.setAttribute("aria-pressed", other === button);
  which.textContent = `${filled(texts.block, { number: layer })}, ${filled(texts.head, { number: head })}:`;
  reading.textContent = texts.nothing;
}

function read(event) {
  const box = event.target.getBoundingClientRect();
  const cell = (offset, length) =>
    Math.min(labels.length - 1, Math.max(0, Math.floor((offset / length) * labels.length)));
  const query = cell(event.clientY - box.top, box.height), key = cell(event.clientX - box.left, box.width);
  const weight = event.target.map[query][key].toFixed(3);
  reading.textContent = filled(texts.pair, { query: labels[query], key: labels[key], weight });
}

for (const id of ["queries", "keys"]) {
  const list = document.getElementById(id);
  list.hidden = labels.length > LABELLED;
  list.append(...labels.map((text) => Object.assign(document.createElement("li"), { textContent: text, title: text })));
}
weights.forEach((heads, layer) => {
  const group = document.createElement("div"), title = document.createElement("h3");
  group.className = "layer";
  title.textContent = filled(texts.block, { number: layer });
  group.append(title);
  heads.forEach((map, head) => {
    const button = document.createElement("button"), canvas = document.createElement("canvas");
    draw(canvas, map);
    button.append(canvas, filled(texts.head, { number: head }));
    button.addEventListener("click", () => select(layer, head, button));
    canvas.addEventListener("pointermove", (event) => { select(layer, head, button); read(event); });
    group.append(button);
  });
  maps.append(group);
});
large.addEventListener("pointermove", read);
select(0, 0, maps.querySelector("button"));
