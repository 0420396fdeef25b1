"""How the report looks: light and dark, wide and narrow, on paper. No fonts or pictures from elsewhere.

The six colours --c0 to --c5 were chosen by computation: each has a contrast of 3 or more against its
background, and any two differ clearly (0.14 and more in Oklab) to full colour vision and, simulated after
Machado et al. 2009, to protanopia, deuteranopia and tritanopia.
"""

STYLE = """
:root {
  color-scheme: light dark;
  --paper: light-dark(#ffffff, #15181d);
  --raised: light-dark(#f5f6f8, #1d2128);
  --line: light-dark(#dfe2e8, #343a44);
  --ink: light-dark(#191c22, #e9ebef);
  --muted: light-dark(#596070, #a3abba);
  --accent: light-dark(#0b5cc4, #7fb2ff);
  --wash: light-dark(#e9f1fd, #1c2b42);
  --c0: light-dark(#2b96fe, #4c75f0);
  --c1: light-dark(#832706, #ed966f);
  --c2: light-dark(#00816e, #54fddd);
  --c3: light-dark(#a69500, #f8e030);
  --c4: light-dark(#6d3e9e, #aca6ed);
  --c5: light-dark(#491543, #ac6689);
}
* { box-sizing: border-box; }
html { scroll-behavior: smooth; scroll-padding-top: 8rem; }
body {
  margin: 0; background: var(--paper); color: var(--ink);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "Noto Sans CJK SC", sans-serif;
}
header, main, footer { max-width: 82rem; margin: 0 auto; padding: 0 1.5rem; }
header { padding-top: 3rem; }
h1 { font-size: clamp(2rem, 5vw, 2.9rem); line-height: 1.1; letter-spacing: -0.025em;
  margin: 0.2rem 0 0.6rem; }
h2 { font-size: 1.5rem; letter-spacing: -0.015em; line-height: 1.25; margin: 0 0 0.35rem; }
h3 { font-size: 1.05rem; margin: 0 0 0.25rem; }
p { margin: 0 0 0.8rem; max-width: 46rem; }
section { margin: 3.5rem 0 0; }
a { color: var(--accent); }
.eyebrow { color: var(--muted); font-weight: 600; margin: 0; }
.lead { font-size: 1.15rem; color: var(--muted); max-width: none; }
.note, figcaption, caption { color: var(--muted); font-size: 0.9rem; }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; border-radius: 4px; }
.skip { position: absolute; left: -999rem; }
.skip:focus { left: 1rem; top: 1rem; background: var(--paper); padding: 0.5rem 1rem; z-index: 9; }
.mark { font-size: 0.95em; padding-right: 0.3em; }
.c0 { color: var(--c0); } .c1 { color: var(--c1); } .c2 { color: var(--c2); }
.c3 { color: var(--c3); } .c4 { color: var(--c4); } .c5 { color: var(--c5); }

.answers { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 22rem), 1fr)); gap: 1rem;
  list-style: none; margin: 1.8rem 0; padding: 0; }
.answers li { background: var(--raised); border: 1px solid var(--line); border-radius: 14px;
  padding: 1.2rem 1.4rem; }
.answers .big { font-size: 2.5rem; font-weight: 650; letter-spacing: -0.03em; line-height: 1.1;
  margin: 0.3rem 0; }
.answers .big small { font-size: 0.95rem; font-weight: 400; color: var(--muted); letter-spacing: 0; }
.answers p { margin: 0.3rem 0 0; }
dl.compared { display: flex; flex-wrap: wrap; gap: 0.7rem 2.2rem; margin: 0; }
dl.compared div { min-width: 5rem; max-width: 24rem; }
dl.compared dt { color: var(--muted); font-size: 0.85rem; }
dl.compared dd { margin: 0; font-weight: 550; overflow-wrap: anywhere; }

.bar { position: sticky; top: 0; z-index: 5; background: var(--paper); border-bottom: 1px solid var(--line);
  padding: 0.7rem 0 0.6rem; margin-top: 2.5rem; }
.controls { display: flex; flex-wrap: wrap; gap: 0.5rem 1.1rem; align-items: end; }
label { font-size: 0.85rem; color: var(--muted); display: grid; gap: 0.15rem; }
select, input, button { font: inherit; color: var(--ink); background: var(--raised);
  border: 1px solid var(--line); border-radius: 8px; padding: 0.32rem 0.6rem; min-width: 0; max-width: 100%; }
input[type=search] { width: 14rem; }
button { cursor: pointer; }
button:hover { border-color: var(--muted); }
.chips { display: flex; flex-wrap: wrap; gap: 0.35rem; margin: 0.55rem 0 0; padding: 0; list-style: none;
  max-height: 5.2rem; overflow-y: auto; }
.chips button { border-radius: 99px; padding: 0.08rem 0.75rem 0.08rem 0.55rem; font-size: 0.87rem; }
.chips button[aria-pressed=false] { color: var(--muted); text-decoration: line-through; }
.chips button[aria-pressed=false] .mark { opacity: 0.25; }

.charts { display: grid; grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 2.2rem 2rem;
  margin-top: 1.6rem; }
figure { margin: 0; min-width: 0; }
figure select { padding: 0.1rem 0.4rem; font-size: 0.9rem; }
.chart { width: 100%; min-height: 22rem; }

.scroll { overflow: auto; max-height: 44rem; border: 1px solid var(--line); border-radius: 12px;
  margin-top: 0.7rem; }
table { border-collapse: collapse; width: 100%; font-size: 0.88rem; font-variant-numeric: tabular-nums; }
caption { text-align: left; padding: 0.6rem 0.8rem; }
th, td { padding: 0.42rem 0.55rem; text-align: left; white-space: nowrap; vertical-align: top; }
tr > :first-child { padding-left: 1rem; }
tr > :last-child { padding-right: 1rem; }
thead th { position: sticky; top: 0; background: var(--raised); font-weight: 600; z-index: 1;
  white-space: normal; vertical-align: bottom; line-height: 1.3; }
tbody tr { border-top: 1px solid var(--line); }
tbody th { font-weight: 550; }
tbody tr:hover { background: var(--raised); }
tr.best { background: var(--wash); }
.n { text-align: right; }
.pm { color: var(--muted); font-size: 0.85em; }
.wrap { white-space: normal; min-width: 14rem; max-width: 30rem; overflow-wrap: anywhere; }
th button { all: unset; cursor: pointer; }
th button:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; border-radius: 4px; }
th button::after { content: "\\00a0↕"; color: var(--muted); opacity: 0.55; }
th[aria-sort=ascending] button::after { content: "\\00a0↑"; opacity: 1; color: var(--accent); }
th[aria-sort=descending] button::after { content: "\\00a0↓"; opacity: 1; color: var(--accent); }
.badge { background: var(--accent); color: var(--paper); border-radius: 99px; padding: 0 0.55rem;
  font-size: 0.8rem; font-weight: 600; margin-left: 0.4rem; }
.badge.lost { background: none; color: var(--muted); border: 1px solid var(--line); }
details { margin-top: 1rem; }
summary { cursor: pointer; font-weight: 600; width: fit-content; padding: 0.2rem 0; }
code { font: 0.88em ui-monospace, "Cascadia Mono", Menlo, Consolas, monospace; }

.samples { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 21rem), 1fr)); gap: 1rem;
  margin: 1rem 0; padding: 0; list-style: none; }
.samples li { border: 1px solid var(--line); border-radius: 12px; padding: 0.9rem 1.1rem; display: flex;
  flex-direction: column; }
.samples h3 { display: flex; gap: 0.1rem; }
.samples h3 small { margin-left: auto; padding-left: 0.8rem; white-space: nowrap; font-weight: 400;
  color: var(--muted); }
.samples blockquote { margin: 0.2rem 0 0.6rem; white-space: pre-wrap; overflow-wrap: anywhere;
  font: 0.97rem/1.6 Charter, Georgia, "Noto Serif", "Noto Serif CJK SC", serif;
  max-height: 19rem; overflow: auto; }
.samples blockquote b { color: var(--accent); font-weight: 600; }
.samples .note { margin: auto 0 0; }
.empty { color: var(--muted); padding: 1rem 0; }
footer { color: var(--muted); font-size: 0.9rem; padding-top: 2.5rem; padding-bottom: 3rem; }

@media screen and (max-width: 56rem) {
  .charts { grid-template-columns: minmax(0, 1fr); }
  .bar { position: static; }
  header, main, footer { padding-left: 1rem; padding-right: 1rem; }
  html { scroll-padding-top: 1rem; }
}
@media (prefers-reduced-motion: reduce) { html { scroll-behavior: auto; } }
:root.paper { color-scheme: light; }
@page { size: landscape; margin: 12mm; }
@media print {
  :root { color-scheme: light; }
  body { font-size: 10.5pt; }
  header, main, footer { max-width: none; padding-left: 0; padding-right: 0; }
  .controls, .skip, th button::after, .more, .modebar { display: none !important; }
  thead { display: table-row-group; }
  .bar { position: static; border: 0; }
  .chips, .scroll, .samples blockquote { max-height: none; overflow: visible; }
  .scroll { border: 0; }
  thead th { position: static; }
  th, td { padding: 0.2rem 0.3rem; font-size: 7.5pt; }
  tbody th { white-space: normal; overflow-wrap: anywhere; }
  figure, .samples li, .answers li, tr { break-inside: avoid; }
  h2, h3 { break-after: avoid; }
}
"""
