// The page: asks /v1/completions for each chosen cell, and shows the tokens as they come.
// All text is set as textContent, so that no prompt and no answer is ever read as HTML.
"use strict";

const byId = (id) => document.getElementById(id);
const form = byId("form"), tip = byId("tip");
let asked = null; // what ends the requests under way

function element(tag, className, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

function say(message) {
  byId("message").textContent = message;
  byId("message").hidden = !message;
}

async function ask(path, body, signal) {
  const headers = { "Content-Type": "application/json" };
  if (byId("token").value) headers.Authorization = `Bearer ${byId("token").value}`;
  const request = body ? { method: "POST", headers, body: JSON.stringify(body), signal } : { headers };
  const response = await fetch(path, request);
  if (response.status === 401) byId("key").hidden = false;
  if (!response.ok) throw new Error((await response.json()).error.message);
  return response;
}

async function showCells() {
  const { data } = await (await ask("/v1/models")).json();
  for (const { id } of data) {
    const label = element("label"), box = element("input");
    Object.assign(box, { type: "checkbox", name: "cell", value: id, checked: byId("cells").children.length < 5 });
    label.append(box, ` ${id}`);
    byId("cells").append(label);
  }
}

function settings() {
  const found = {};
  for (const input of form.querySelectorAll(".settings input")) {
    if (input.type === "checkbox") found[input.name] = input.checked;
    else if (input.value !== "") found[input.name] = input.type === "number" ? Number(input.value) : input.value;
  }
  // One seed for all cells, so that they draw alike.
  found.seed ??= Math.floor(Math.random() * 2 ** 32);
  return found;
}

async function* events(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const parts = (rest + value).split("\n\n");
    rest = parts.pop();
    for (const part of parts) {
      const data = part.slice("data: ".length);
      if (data !== "[DONE]") yield JSON.parse(data);
    }
  }
}

// One answer: the text of a cell, in which each token is a span. Tokens of which several make one character
// share a span; their places say which do.
class Answer {
  constructor(cell, prompt) {
    this.cell = cell;
    this.characters = [];
    this.count = 0;
    this.place = -1;
    this.card = element("article");
    this.card.ariaBusy = "true";
    this.status = element("p", "muted", "waiting …");
    this.text = element("p", "text");
    this.text.setAttribute("role", "group");
    this.text.setAttribute("aria-label", `Continuation by ${cell}`);
    this.text.append(element("span", "given", prompt));
    this.card.append(element("h2", "", cell), this.status, this.text);
    byId("answers").append(this.card);
  }

  add(choice) {
    this.characters.push(...choice.text);
    const { tokens = [], token_logprobs = [], top_logprobs = [], text_offset = [] } = choice.logprobs ?? {};
    tokens.forEach((token, i) => {
      this.count += 1;
      if (text_offset[i] > this.place) {
        this.close(text_offset[i]);
        this.place = text_offset[i];
        this.span = element("span", "token");
        this.span.tabIndex = this.text.querySelector(".token") ? -1 : 0;
        this.span.parts = [];
        this.text.append(this.span);
      }
      this.span.parts.push({ token, logprob: token_logprobs[i], others: top_logprobs[i] });
    });
    this.close(this.characters.length);
  }

  // Gives the last span its text up to a place, and its colour.
  close(end) {
    if (!this.span) return;
    this.span.textContent = this.characters.slice(this.place, end).join("");
    const logprob = this.span.parts.reduce((sum, part) => sum + part.logprob, 0);
    const step = [0.5, 0.1, 0.01, 0.001].filter((limit) => Math.exp(logprob) < limit).length;
    this.span.className = `token p${step}`;
  }

  async run(body, signal) {
    const start = performance.now();
    let finish = "stopped", left = 0;
    try {
      for await (const data of events(await ask("/v1/completions", { ...body, model: this.cell }, signal))) {
        if (data.error) throw new Error(data.error.message);
        left = data.usage?.prompt_tokens_left_out ?? left;
        for (const choice of data.choices) {
          this.add(choice);
          finish = { stop: "ended by itself", length: "cut at the limit" }[choice.finish_reason] ?? finish;
        }
        this.status.textContent = `${this.count} tokens`;
      }
    } catch (error) {
      if (error.name !== "AbortError") {
        this.status.className = "error";
        this.status.textContent = error.message;
        return;
      }
    } finally {
      this.card.ariaBusy = "false";
    }
    const rate = this.count / ((performance.now() - start) / 1000);
    const cut = left ? ` · the first ${left} tokens of the prompt were left out: the cell reads no more` : "";
    this.status.textContent = `${this.count} tokens · ${rate.toFixed(0)} per second · ${finish}${cut}`;
  }
}

async function run() {
  asked?.abort();
  const own = (asked = new AbortController());
  say("");
  hideTip();
  const cells = [...form.querySelectorAll("[name=cell]:checked")].map((box) => box.value);
  if (byId("cells").querySelector("label") === null) {
    await showCells();
    return run();
  }
  if (!cells.length) return say("Choose a cell.");
  byId("answers").replaceChildren();
  byId("stop").disabled = false;
  const prompt = byId("prompt").value;
  const body = {
    ...settings(), prompt, stream: true, stream_options: { include_usage: true }, logprobs: 5,
    truncate_prompt_tokens: -1,
  };
  await Promise.all(cells.map((cell) => new Answer(cell, prompt).run(body, own.signal)));
  if (asked === own) byId("stop").disabled = true;
}

const percent = (logprob) => {
  const share = 100 * Math.exp(logprob);
  return `${share >= 0.1 ? share.toFixed(1) : share.toPrecision(1)} %`;
};
const visible = (token) => token.replaceAll(" ", "␣").replaceAll("\n", "⏎").replaceAll("\t", "⇥");

function showTip(span) {
  tip.replaceChildren(...span.parts.map(({ token, logprob, others }) => {
    const table = element("table");
    const rows = Object.entries(others).sort((a, b) => b[1] - a[1]);
    for (const [text, value] of rows) {
      const row = element("tr", text === token && value === logprob ? "chosen" : "");
      row.append(element("th", "", visible(text)), element("td", "", percent(value)));
      table.append(row);
    }
    return table;
  }));
  tip.hidden = false;
  const box = span.getBoundingClientRect();
  const left = Math.min(box.left, document.documentElement.clientWidth - tip.offsetWidth - 8);
  tip.style.left = `${scrollX + Math.max(8, left)}px`;
  tip.style.top = `${scrollY + box.bottom + 6}px`;
  span.setAttribute("aria-describedby", "tip");
}

function hideTip() {
  tip.hidden = true;
  document.querySelector("[aria-describedby=tip]")?.removeAttribute("aria-describedby");
}

function move(event) {
  const span = event.target.closest?.(".token");
  const steps = { ArrowRight: "nextElementSibling", ArrowLeft: "previousElementSibling" };
  const next = span?.[steps[event.key]];
  if (!next?.classList.contains("token")) return;
  event.preventDefault();
  span.tabIndex = -1;
  next.tabIndex = 0;
  next.focus();
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  run().catch((error) => say(error.message));
});
byId("stop").addEventListener("click", () => asked?.abort());
byId("prompt").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit();
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") {
    hideTip();
    asked?.abort();
  }
});
const answers = byId("answers");
answers.addEventListener("keydown", move);
for (const name of ["mouseover", "focusin"]) {
  answers.addEventListener(name, (event) => {
    hideTip();
    if (event.target.classList.contains("token")) showTip(event.target);
  });
}
for (const name of ["mouseleave", "focusout"]) answers.addEventListener(name, hideTip);
showCells().catch((error) => say(error.message));
