/* What the report does in a browser: sort and filter tables, draw charts, show samples. No network.

   The data is the JSON that render.py embeds. Texts go into the page as text nodes, never as markup. */
"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const $ = (id) => document.getElementById(id);
const MARKS = "●■◆▲▼✚";
const SYMBOLS = ["circle", "square", "diamond", "triangle-up", "triangle-down", "cross"];
const DASHES = ["solid", "dash", "dot", "dashdot", "longdash", "longdashdot"];
const PAGE = 24;
const state = {text: 0, limit: 0, words: [], hidden: new Set(), samples: PAGE};

/** Make an element with a class, text and children. */
function make(tag, className = "", ...children) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  element.append(...children);
  return element;
}
const shapeOf = (group) => (group.variant + Math.floor(group.variant / 6)) % 6;
const dashOf = (group) => DASHES[Math.floor(group.variant / 6) % DASHES.length];
function markOf(group) {
  const mark = make("span", `mark c${group.variant % 6}`, MARKS[shapeOf(group)]);
  mark.setAttribute("aria-hidden", "true");
  return mark;
}
/** How the training of a cell or a curve ended, if not by itself. */
const endOf = ({status}) => status === "finished" ? "" : `, ${status}`;
const wordsOf = (text) => text.toLowerCase().split(/\s+/).filter(Boolean);
const contains = (text, words) => words.every((word) => text.toLowerCase().includes(word));
function options(select, values, labels = values) {
  const before = select.value;
  select.replaceChildren(...values.map((value, i) => {
    const option = make("option", "", labels[i]);
    option.value = value;
    return option;
  }));
  if (values.map(String).includes(before)) select.value = before;
}

// ---------------------------------------------------------------------------------------- tables

/** Sort key of a table cell: a number where there is one, else text; null where it is empty. */
function keyOf(cell) {
  const text = cell.dataset.value ?? cell.textContent.trim();
  if (text === "" || text === "–") return null;
  return cell.dataset.value !== undefined && !isNaN(text) ? Number(text) : text;
}
function compareKeys(a, b) {
  if (typeof a === "number" && typeof b === "number") return a - b;
  return String(a).localeCompare(String(b), "en", {numeric: true});
}
function sortTable(table, header) {
  const column = header.cellIndex;
  const descending = header.getAttribute("aria-sort") === "ascending";
  for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
  header.setAttribute("aria-sort", descending ? "descending" : "ascending");
  const rows = [...table.tBodies[0].rows].map((row) => [keyOf(row.cells[column]), row]);
  rows.sort(([a], [b]) => {
    if (a === null || b === null) return (a === null) - (b === null);
    return descending ? compareKeys(b, a) : compareKeys(a, b);
  });
  table.tBodies[0].append(...rows.map(([, row]) => row));
}
for (const table of document.querySelectorAll("table:not(.card *)"))
  for (const header of table.tHead.rows[0].cells)
    header.firstElementChild.addEventListener("click", () => sortTable(table, header));
for (const input of document.querySelectorAll("[data-filters]"))
  input.addEventListener("input", () => {
    for (const row of $(input.dataset.filters).querySelectorAll("tbody tr"))
      row.hidden = !contains(row.textContent, wordsOf(input.value));
  });

// ------------------------------------------------------------------------------ what is selected

data.groups.forEach((group, index) => { group.index = index; });
/** Groups of the chosen text that the bar lets through, best first. */
function listed() {
  const matching = data.groups.filter((g) => g.text === state.text && contains(g.label, state.words));
  matching.sort((a, b) => a.rank - b.rank);
  return state.limit ? matching.slice(0, state.limit) : matching;
}
const shown = () => listed().filter((group) => !state.hidden.has(group.label));

// ---------------------------------------------------------------------------------------- charts

const probe = document.body.appendChild(make("span"));
probe.hidden = true;
/** Resolve a colour of the style sheet in the present colour scheme. */
function colour(name) {
  probe.style.color = `var(--${name})`;
  return getComputedStyle(probe).color;
}
function axis(title, more = {}) {
  return {title: {text: title}, gridcolor: colour("line"), zeroline: false, linecolor: colour("line"),
    automargin: true, ...more};
}
function draw(id, traces, layout) {
  const base = {font: {family: getComputedStyle(document.body).fontFamily, size: 13, color: colour("muted")},
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", margin: {l: 10, r: 10, t: 30, b: 10},
    showlegend: false, hovermode: "closest",
    modebar: {bgcolor: "rgba(0,0,0,0)", color: colour("muted"), activecolor: colour("accent")},
    hoverlabel: {bgcolor: colour("raised"), bordercolor: colour("line"), font: {color: colour("ink")}}};
  const config = {displaylogo: false, responsive: true,
    // Plotly's own default is a button that uploads the chart.
    showSendToCloud: false, plotlyServerURL: "",
    modeBarButtonsToRemove: ["lasso2d", "select2d", "autoScale2d"]};
  Plotly.react(id, traces, {...base, ...layout}, config);
}
const unit = () => data.texts[state.text].unit;
const errors = (groups) => ({type: "data", symmetric: false, thickness: 1.5, width: 5, color: colour("muted"),
  array: groups.map((g) => g.interval ? g.interval[1] : 0),
  arrayminus: groups.map((g) => g.interval ? g.interval[0] : 0)});
function markers(groups) {
  const colours = [0, 1, 2, 3, 4, 5].map((n) => colour(`c${n}`));
  return {size: 12, color: groups.map((g) => colours[g.variant % 6]),
    symbol: groups.map((g) => SYMBOLS[shapeOf(g)]), line: {width: 1, color: colour("paper")}};
}
/** Range of the test figures: all seeds, and of the intervals what does not make everything else small. */
function span(groups) {
  const seeds = groups.flatMap((g) => g.seeds).filter((value) => value !== null);
  if (!seeds.length) return undefined;
  const [low, high] = [Math.min(...seeds), Math.max(...seeds)];
  const room = high - low || Math.abs(high) / 10 || 1;
  const ends = groups.filter((g) => g.interval)
    .flatMap((g) => [g.test - g.interval[0], g.test + g.interval[1]]);
  return [Math.max(Math.min(low, ...ends), low - room / 3) - room / 15,
    Math.min(Math.max(high, ...ends), high + room / 3) + room / 15];
}
/** How many cells of a group have no figure. */
const lossesOf = (group) => ["diverged", "failed"].filter((status) => group[status])
  .map((status) => `${group[status]} of ${group.seeds.length} ${status}`).join(", ");
function drawGroups(groups) {
  const names = groups.map((g) => g.label);
  const seeds = {x: groups.flatMap((g) => g.seeds), y: groups.flatMap((g) => g.seeds.map(() => g.label)),
    mode: "markers", type: "scatter", hovertemplate: "one seed of %{y}<br>%{x:.4f}<extra></extra>",
    marker: {size: 7, symbol: "circle-open", color: colour("muted")}};
  const means = {x: groups.map((g) => g.test), y: names, mode: "markers", type: "scatter",
    marker: markers(groups), error_x: errors(groups), hovertemplate: "%{y}<br>%{x:.4f}<extra></extra>"};
  const height = Math.max(352, 90 + 24 * groups.length);
  $("chart-groups").style.height = `${height}px`;
  const annotations = groups.filter((g) => g.diverged || g.failed).map((g) => ({text: lossesOf(g),
    xref: "paper", x: 1, xanchor: "right", y: g.label, showarrow: false}));
  const shapes = groups.filter((g) => g.best).map((g) => ({type: "line", layer: "below", x0: g.test, x1: g.test,
    yref: "paper", y0: 0, y1: 1, line: {width: 1, dash: "dot", color: colour("muted")}}));
  draw("chart-groups", [means, seeds], {height, annotations, shapes, xaxis: axis(`test, ${unit()}`, {range: span(groups)}),
    yaxis: axis("", {type: "category", categoryarray: names, range: [groups.length - 0.4, -0.6], dtick: 1})});
}
function drawSize(groups) {
  const key = $("size").value;
  const known = groups.filter((g) => g[key] !== null && g.test !== null);
  const trace = {x: known.map((g) => g[key]), y: known.map((g) => g.test), text: known.map((g) => g.label),
    mode: "markers", type: "scatter", marker: markers(known), error_y: errors(known),
    hovertemplate: "%{text}<br>%{x:.4s}, %{y:.4f}<extra></extra>"};
  const ticks = {type: "log", tickformat: "~s", dtick: spansDecade(trace.x) ? 1 : null};
  draw("chart-size", [trace], {height: 352, yaxis: axis(`test, ${unit()}`, {range: span(known)}),
    xaxis: axis($("size").selectedOptions[0].textContent, ticks)});
}
const spansDecade = (values) => Math.max(...values) > 10 * Math.min(...values);
function drawCurves(id, key, groups) {
  const visible = new Set(groups.map((g) => g.index));
  const curves = data.curves.filter((c) => visible.has(c.group) && c[key][0].length);
  const traces = curves.map((curve) => {
    const group = data.groups[curve.group];
    const name = `${group.label}, ${curve.seed === null ? "mean of its seeds" : `seed ${curve.seed}`}${endOf(curve)}`;
    return {x: curve[key][0], y: curve[key][1], type: "scatter",
      mode: key === "val_loss" && curves.length <= 24 ? "lines+markers" : "lines", name,
      line: {color: colour(`c${group.variant % 6}`), dash: dashOf(group), width: 1.8},
      marker: {size: 6, symbol: SYMBOLS[shapeOf(group)]},
      hovertemplate: `${name}<br>%{x:.4s} tokens<br>%{y:.4f}<extra></extra>`};
  });
  const stable = traces.filter((_, n) => curves[n].status !== "diverged");
  const range = frame(stable.length ? stable : traces);
  const ends = traces.filter((trace) => !stable.includes(trace));
  // A curve that left the frame has its cross at the frame's edge.
  const crosses = {x: ends.map((t) => t.x.at(-1)), y: ends.map((t) => Math.min(t.y.at(-1), range[1])), type: "scatter",
    mode: "markers", marker: {size: 11, symbol: "x", color: ends.map((t) => t.line.color)}, cliponaxis: false,
    text: ends.map((t) => t.name), hovertemplate: "%{text}<extra></extra>"};
  draw(id, [...traces, crosses], {height: 352, yaxis: axis(unit(), {range}),
    xaxis: axis("training tokens", {tickformat: "~s", rangemode: "tozero"})});
}
function drawPositions(groups) {
  if (!$("chart-positions")) return;
  const traces = groups.filter((g) => g.positions).map((group) => {
    const {from, to, loss} = group.positions;
    return {x: from.map((low, n) => Math.sqrt(low * to[n])), y: loss, type: "scatter", mode: "lines+markers",
      line: {color: colour(`c${group.variant % 6}`), dash: dashOf(group), width: 1.8},
      marker: {size: 6, symbol: SYMBOLS[shapeOf(group)]}, text: from.map((low, n) => `${low} to ${to[n]}`),
      hovertemplate: `${group.label}<br>%{text} tokens seen<br>%{y:.4f}<extra></extra>`};
  });
  draw("chart-positions", traces, {height: 352, yaxis: axis(unit()),
    xaxis: axis("tokens seen in the window", {type: "log", dtick: Math.log10(2), tickformat: "~r"})});
}
/** Vertical range without the steep start, in which all curves look alike. */
function frame(traces) {
  const lows = traces.flatMap((t) => t.y);
  if (!lows.length) return undefined;
  const low = lows.reduce((a, b) => Math.min(a, b));
  const high = Math.max(...traces.map((t) => t.y[Math.floor(t.y.length * 0.12)]));
  const pad = 0.06 * (high - low || 1);
  return [low - pad, high + pad];
}
function drawCharts() {
  const groups = shown();
  drawGroups(groups);
  drawSize(groups);
  drawCurves("chart-val", "val_loss", groups);
  drawCurves("chart-train", "train_loss", groups);
  drawPositions(groups);
}

// --------------------------------------------------------------------------------------- samples

const seedOf = (cell) => `seed ${cell.seed}${endOf(cell)}`;
const cellName = (cell) => `${data.groups[cell.group].label}, ${seedOf(cell)}`;
function card(title, aside, prompt, text, note) {
  const heading = make("h3", "", make("span", "", ...title), make("small", "", aside));
  const quote = make("blockquote", "", make("b", "", prompt), text);
  return make("li", "", heading, quote, make("p", "note", note));
}
/** Rows of samples whose cell is on the chosen text. */
const here = (rows) => rows.filter((row) => data.groups[data.cells[row.cell].group].text === state.text);
const distinct = (values) => [...new Set(values)];
function fillSampleControls() {
  const rows = here(data.samples);
  const prompts = distinct(rows.map((row) => row.prompt));
  options($("prompt"), prompts, prompts.map((prompt) => prompt || "(the start of a document)"));
  options($("decoding"), distinct(rows.map((row) => row.decoding)));
  const seeds = distinct(rows.map((row) => data.cells[row.cell].seed));
  options($("seed"), ["", ...seeds], ["all", ...seeds]);
}
function showSamples() {
  const groups = new Map(shown().map((group, place) => [group.index, place]));
  const [prompt, decoding, seed] = [$("prompt").value, $("decoding").value, $("seed").value];
  const rows = data.samples.filter((row) => row.prompt === prompt && row.decoding === decoding
    && groups.has(data.cells[row.cell].group) && (!seed || String(data.cells[row.cell].seed) === seed));
  rows.sort((a, b) => groups.get(data.cells[a.cell].group) - groups.get(data.cells[b.cell].group));
  $("samples").replaceChildren(...rows.slice(0, state.samples).map((row) => {
    const cell = data.cells[row.cell];
    const end = row.ended ? "ended by itself" : "cut at the limit";
    const tokens = `${row.tokens} ${row.tokens === 1 ? "token" : "tokens"}`;
    const group = data.groups[cell.group];
    return card([markOf(group), group.label], seedOf(cell), row.prompt, row.text,
      `${tokens}, ${end}${row.copy ? `; ${row.copy} stand in the training text` : ""}`);
  }));
  if (!rows.length) $("samples").append(make("li", "empty", "No cell matches."));
  $("more").hidden = rows.length <= state.samples;
}
function fillGrowth() {
  if (!$("growth")) return;
  const cells = distinct(here(data.training_samples).map((row) => row.cell));
  cells.sort((a, b) => data.groups[data.cells[a].group].rank - data.groups[data.cells[b].group].rank);
  options($("growth-cell"), cells, cells.map((cell) => cellName(data.cells[cell])));
  showGrowth();
}
function showGrowth() {
  const rows = data.training_samples.filter((row) => String(row.cell) === $("growth-cell").value);
  $("growth").replaceChildren(...rows.map((row) =>
    card([`Step ${row.step.toLocaleString("en")}`], "", row.prompt, row.text, "")));
  if (!rows.length) $("growth").append(make("li", "empty", "No cell on this corpus wrote any."));
}

// --------------------------------------------------------------------------------------- the bar

function showChips() {
  $("chips").replaceChildren(...listed().map((group) => {
    const button = make("button", "", markOf(group), group.label);
    button.type = "button";
    button.setAttribute("aria-pressed", String(!state.hidden.has(group.label)));
    button.addEventListener("click", () => {
      if (!state.hidden.delete(group.label)) state.hidden.add(group.label);
      button.setAttribute("aria-pressed", String(!state.hidden.has(group.label)));
      update();
    });
    return make("li", "", button);
  }));
}
function update() {
  state.samples = PAGE;
  drawCharts();
  showSamples();
}
function chooseText() {
  state.text = Number($("text").value);
  const total = data.groups.filter((group) => group.text === state.text).length;
  const limits = [8, 20, 50].filter((limit) => limit < total);
  options($("limit"), [...limits, 0], [...limits.map((limit) => `best ${limit}`), `all ${total}`]);
  state.limit = Number($("limit").value);
  fillSampleControls();
  fillGrowth();
  showChips();
  update();
}
function listen(id, event, action) {
  $(id)?.addEventListener(event, action);
}
listen("text", "change", chooseText);
listen("limit", "change", () => { state.limit = Number($("limit").value); showChips(); update(); });
listen("filter", "input", () => { state.words = wordsOf($("filter").value); showChips(); update(); });
listen("size", "change", () => drawSize(shown()));
for (const id of ["prompt", "decoding", "seed"])
  listen(id, "change", () => { state.samples = PAGE; showSamples(); });
listen("more", "click", () => { state.samples += PAGE; showSamples(); });
listen("growth-cell", "change", showGrowth);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawCharts);
// Paper is white: draw in the light scheme and unfold everything while printing.
let folded = [];
addEventListener("beforeprint", () => {
  document.documentElement.classList.add("paper");
  folded = [...document.querySelectorAll("details:not([open])")];
  for (const details of folded) details.open = true;
  drawCharts();
});
addEventListener("afterprint", () => {
  document.documentElement.classList.remove("paper");
  for (const details of folded) details.open = false;
  drawCharts();
});
options($("text"), data.texts.map((_, index) => index), data.texts.map((text) => text.name));
chooseText();
