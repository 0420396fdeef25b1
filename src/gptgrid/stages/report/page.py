"""What the report says, in order: a Jinja template. Every value in it is escaped."""

PAGE = """\
{% macro head(columns) %}
<thead><tr>
{% for name, kind in columns %}
<th scope="col" class="{{ kind }}"><button type="button">{{ name }}</button></th>
{% endfor %}
</tr></thead>
{% endmacro %}
{% macro number(value, shown) %}
<td class="n" data-value="{{ '' if value is none else value }}">{{ shown }}</td>
{% endmacro %}
{% macro score(cell, key) %}
{{ number(cell[key], 'diverged' if cell.status == 'diverged' else cell[key] | figure) -}}
{% endmacro %}
{% macro spread(row, key) %}
{% set half = row[key ~ '_high'] - row[key ~ '_mean'] if row[key ~ '_high'] is not none else none %}
<td class="n" data-value="{{ '' if row[key ~ '_mean'] is none else row[key ~ '_mean'] }}">
{{- 'diverged' if row.diverged else row[key ~ '_mean'] | figure }}
{%- if half is not none %} <span class="pm">± {{ half | figure }}</span>{% endif %}</td>
{% endmacro %}
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src 'unsafe-inline';
 style-src 'unsafe-inline'; img-src data: blob:; base-uri 'none'; form-action 'none'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{ experiment.name }} – gptgrid report</title>
<link rel="icon" href="data:,">
<style>{{ style }}</style>
</head>
<body>
<a class="skip" href="#ranking">Skip to the ranking</a>
<header>
<p class="eyebrow">gptgrid report</p>
<h1>{{ experiment.name }}</h1>
<p class="lead">
{{- experiment.cells | length }} trained {{ 'cell' if experiment.cells | length == 1 else 'cells' }} in
{{ experiment.groups | length }} {{ 'group' if experiment.groups | length == 1 else 'groups' }}.
A group is a set of cells that differ in the seed alone.</p>
<ul class="answers">
{% for answer in answers %}
<li>
<p class="eyebrow">{{ answer.text.name }}</p>
{% if answer.best %}
<p class="big">{{ answer.test.mean | figure }} <small>{{ answer.text.unit }}, test</small></p>
<p>{{ answer.best | mark }}<strong>{{ answer.best.label }}</strong>
{% if answer.next %}
is the best of {{ answer.groups }} on validation
{%- elif answer.groups > 1 %}
is the only one of {{ answer.groups }} groups with a loss
{%- else %}
is the only group
{%- endif %}, with {{ answer.test.mean | figure }} {{ answer.text.unit }} on the test text
({% if answer.test.low is not none -%}
95 % interval {{ answer.test.low | figure }} to {{ answer.test.high | figure }}, {% endif -%}
{{ answer.best.seeds }} {{ 'seed' if answer.best.seeds == 1 else 'seeds' }})
{%- if answer.next -%}
; next comes {{ answer.next | mark }}{{ answer.next.label }},
{{ answer.next.behind | figure }} {{ answer.text.unit }}
{%- if answer.next.percent is not none %} ({{ answer.next.percent }}){% endif %}
 behind on validation
{%- endif %}.</p>
{% if answer.next %}<p class="note">{{ answer.next.verdict }}</p>{% endif %}
{% elif answer.diverged %}
<p class="big">diverged</p>
<p><strong>No group is the best</strong>: each has a cell whose training diverged. Lower <code>training.lr</code>,
lengthen <code>training.warmup</code> or lower <code>training.grad_clip</code>.</p>
{% else %}
<p>No cell has a loss.</p>
{% endif %}
{% if answer.diverged %}
<p class="note">{{ answer.diverged }} of {{ answer.cells }} {{ 'cell' if answer.cells == 1 else 'cells' }} diverged;
a group with such a cell ranks last. <a href="#cells">How each ended</a></p>
{% endif %}
</li>
{% endfor %}
</ul>
<dl class="compared">
{% for name, values in compared %}
<div><dt>{{ name }}{% if values | length > 1 %} ({{ values | length }}){% endif %}</dt>
<dd>{{ values[:8] | join(', ') }}{% if values | length > 8 %}, …{% endif %}</dd></div>
{% endfor %}
</dl>
</header>
<main>
<section id="ranking" aria-labelledby="ranking-title">
<h2 id="ranking-title">Ranking</h2>
<p>Lower is better. Validation ranks; the test figures tell what the choice is worth. Where there is more
than one seed, ± is half of the 95 % interval of the mean.</p>
<div class="controls"><label>Rows that contain <input type="search" data-filters="groups"
autocomplete="off" placeholder="for example bpe llama"></label></div>
<div class="scroll" tabindex="0" role="region" aria-labelledby="ranking-title">
<table id="groups">
{{ head([('Corpus', ''), ('Rank', 'n'), ('Group', ''), ('Seeds', 'n'), ('Parameters', 'n'),
         ('Validation bits per byte', 'n'), ('Test bits per byte', 'n'), ('Validation loss', 'n'),
         ('Test loss', 'n'), ('Perplexity', 'n'), ('Word perplexity', 'n'), ('Right answers', 'n')]) }}
<tbody>
{% for group in ranking %}
<tr{% if group.best == 'True' %} class="best"{% endif %}>
<td>{{ group.text }}</td>
{{ number(group['rank'], '–' if group.diverged else group['rank']) -}}
<th scope="row" title="{{ group.group }}">{{ group | mark }}{{ group.label }}
{%- if group.best == 'True' %}<span class="badge">best</span>{% endif %}
{%- if group.diverged %}<span class="badge lost">{{ group.diverged }} of {{ group.seeds }} diverged</span>
{%- endif %}</th>
{{ number(group.seeds, group.seeds) }}{{ number(group.parameters, group.parameters | short) -}}
{{ spread(group, 'val_bpb') }}{{ spread(group, 'bpb') -}}
{{ spread(group, 'val_loss') }}{{ spread(group, 'test_loss') -}}
{{ number(group.perplexity_mean, group.perplexity_mean | figure) -}}
{{ number(group.word_perplexity_mean, group.word_perplexity_mean | figure) -}}
{{ number(group.answers_right_mean, group.answers_right_mean | percent) -}}
</tr>
{% endfor %}
</tbody></table></div>
<details{% if answers | sum('diverged') %} open{% endif %}>
<summary>All {{ experiment.cells | length }} cells</summary>
<div class="controls"><label>Rows that contain <input type="search" data-filters="cells"
autocomplete="off"></label></div>
<div class="scroll" tabindex="0" role="region" aria-label="All cells">
<table id="cells">
{{ head([('Cell', ''), ('Ended', ''), ('Parameters', 'n'), ('Without embeddings', 'n'), ('Vocabulary', 'n'),
         ('Training tokens', 'n'), ('FLOPs', 'n'), ('Validation loss', 'n'), ('Test loss', 'n'),
         ('Perplexity', 'n'), ('Bits per byte', 'n'), ('Word perplexity', 'n'), ('Tokens per second', 'n'),
         ('Time', 'n'), ('Memory, MB', 'n'), ('Device', ''), ('Identity', '')]) }}
<tbody>
{% for cell in experiment.cells %}
<tr><th scope="row">{{ experiment.groups[cell.group] | mark }}{{ cell.cell }}</th>
<td{% if cell.ended %} class="wrap"{% endif %}>{{ cell.status }}{% if cell.ended %}: {{ cell.ended }}{% endif %}</td>
{{ number(cell.parameters, cell.parameters | count) -}}
{{ number(cell.non_embedding_parameters, cell.non_embedding_parameters | count) -}}
{{ number(cell.vocab_size, cell.vocab_size | count) -}}
{{ number(cell.train_tokens, cell.train_tokens | count) -}}
{{ number(cell.train_flops, cell.train_flops | short) -}}
{{ score(cell, 'val_loss') }}{{ score(cell, 'test_loss') }}{{ score(cell, 'perplexity') -}}
{{ score(cell, 'bpb') }}{{ score(cell, 'word_perplexity') -}}
{{ number(cell.tokens_per_second, cell.tokens_per_second | count) -}}
{{ number(cell.train_seconds, cell.train_seconds | duration) -}}
{{ number(cell.peak_memory_mb, cell.peak_memory_mb | count) -}}
<td>{{ cell.device }}</td><td><code title="{{ cell.identity }}">{{ cell.identity[:12] }}</code></td></tr>
{% endfor %}
</tbody></table></div>
</details>
</section>

<noscript><p class="empty">Scripts are off: this page draws its charts and samples with them.</p></noscript>
<div class="bar" role="group" aria-label="What the charts and samples show">
<div class="controls">
<label{% if experiment.texts | length == 1 %} hidden{% endif %}>Corpus <select id="text"></select></label>
<label>Groups <select id="limit"></select></label>
<label>Names that contain <input id="filter" type="search" autocomplete="off"
placeholder="for example bpe llama"></label>
</div>
<ul class="chips" id="chips" aria-label="Groups; press one to hide or show it"></ul>
</div>

<section aria-labelledby="charts-title">
<h2 id="charts-title">Charts</h2>
<p class="note">A group has one colour and one mark everywhere. Drag to enlarge. What leaves the frame, as wide
intervals and the start of a curve may, a double click shows.</p>
<div class="charts">
<figure><h3>Test figure by group</h3>
<figcaption>Mean with its 95 % interval over seeds; small circles are single seeds. In the order of
validation.</figcaption>
<div class="chart" id="chart-groups" role="img"
aria-label="Test figure of each group; the same as in the table Ranking"></div></figure>
<figure><h3>Test figure against <select id="size" aria-label="Size on the horizontal axis">
<option value="parameters">parameters</option>
<option value="non_embedding_parameters">parameters without embeddings</option>
<option value="train_flops">training FLOPs</option>
<option value="train_tokens">training tokens</option>
<option value="train_seconds">training seconds</option>
</select></h3>
<figcaption>Mean of a group with its 95 % interval over seeds.</figcaption>
<div class="chart" id="chart-size" role="img"
aria-label="Test figure against size; the same as in the tables"></div></figure>
<figure><h3>Validation during training</h3>
<figcaption>One line a cell; means over the seeds of a group where cells are many. × ends a training that
diverged.</figcaption>
<div class="chart" id="chart-val" role="img" aria-label="Validation loss over training tokens"></div></figure>
<figure><h3>Training loss</h3>
<figcaption>Mean over the steps since the point before, on the training text.</figcaption>
<div class="chart" id="chart-train" role="img" aria-label="Training loss over training tokens"></div></figure>
</div>
</section>

<section aria-labelledby="samples-title">
<h2 id="samples-title">Samples</h2>
<p class="note">The same prompt, continued by every cell that the bar above selects; the best group first.</p>
<div class="controls">
<label>Prompt <select id="prompt"></select></label>
<label>Decoding <select id="decoding"></select></label>
<label>Seed <select id="seed"></select></label>
</div>
<ul class="samples" id="samples" aria-live="polite"></ul>
<button type="button" class="more" id="more">Show more</button>
</section>

{% if experiment.training_samples %}
<section aria-labelledby="growth-title">
<h2 id="growth-title">What a cell wrote while it learned</h2>
<div class="controls"><label>Cell <select id="growth-cell"></select></label></div>
<ul class="samples" id="growth"></ul>
</section>
{% endif %}

<section aria-labelledby="data-title">
<h2 id="data-title">Corpora and tokenizers</h2>
<div class="scroll" tabindex="0" role="region" aria-label="Corpora">
<table><caption>Corpora</caption>
{{ head([('Corpus', ''), ('Read from', ''), ('Licence', ''),
         ('Documents: train', 'n'), ('Documents: valid', 'n'), ('Documents: test', 'n'),
         ('Bytes: train', 'n'), ('Bytes: valid', 'n'), ('Bytes: test', 'n'), ('Words: train', 'n'),
         ('Dropped documents', 'n'), ('Test text in train', 'n'), ('Least possible bits per byte', 'n')]) }}
<tbody>
{% for corpus in experiment.corpora %}
<tr><th scope="row">{{ corpus.name }}</th>
<td class="wrap">{{ corpus.sources[:4] | join(', ') }}
{%- if corpus.sources | length > 4 %} and {{ corpus.sources | length - 4 }} more{% endif %}</td>
<td>{{ corpus.license or '–' }}</td>
{% for key in ('documents', 'bytes') %}{% for split in ('train', 'valid', 'test') %}
{{ number(corpus[split][key], corpus[split][key] | count) -}}
{% endfor %}{% endfor %}
{{ number(corpus.train.words, corpus.train.words | count) -}}
{{ number(corpus.dropped, corpus.dropped | count) -}}
{{ number(corpus.leakage, corpus.leakage | percent) -}}
{{ number(corpus.floor, corpus.floor | figure) -}}
</tr>
{% endfor %}
</tbody></table></div>
{% for corpus in experiment.corpora %}
<details class="card"><summary>Data card of {{ corpus.name }}</summary>
{{ corpus.card | card }}
</details>
{% endfor %}
<div class="scroll" tabindex="0" role="region" aria-label="Tokenizers">
<table><caption>Tokenizers, and what they make of each corpus</caption>
{{ head([('Tokenizer', ''), ('Kind', ''), ('Corpus', ''), ('Vocabulary', 'n'),
         ('Tokens: train', 'n'), ('Tokens: valid', 'n'), ('Tokens: test', 'n'),
         ('Bytes per token: train', 'n'), ('Bytes per token: valid', 'n'), ('Bytes per token: test', 'n')]) }}
<tbody>
{% for row in experiment.encodings %}
<tr><th scope="row">{{ row.tokenizer }}</th><td>{{ row.kind or '–' }}</td><td>{{ row.corpus }}</td>
{{ number(row.vocab_size, row.vocab_size | count) -}}
{% for split in ('train', 'valid', 'test') %}
{{ number(row.tokens[split], row.tokens[split] | count) -}}
{% endfor %}
{% for split in ('train', 'valid', 'test') %}
{{ number(row.bytes_per_token[split], row.bytes_per_token[split] | figure) -}}
{% endfor %}
</tr>
{% endfor %}
</tbody></table></div>
{% for row in experiment.encodings if row.about %}
<details class="card"><summary>{{ row.tokenizer }} on {{ row.corpus }}, by script and by token</summary>
<p>{{ row.about.used | percent }} of the vocabulary is used; {{ row.about.single_bytes | percent }} of the
tokens are single bytes.</p>
<table><caption>Bytes per token</caption>
<thead><tr><th>Letters</th><th class="n">train</th><th class="n">test</th></tr></thead><tbody>
{% for kind in row.about.by_script.train %}
<tr><th scope="row">{{ kind }}</th><td class="n">{{ row.about.by_script.train[kind] | figure }}</td>
<td class="n">{{ row.about.by_script.test.get(kind) | figure }}</td></tr>
{% endfor %}
</tbody></table>
{% if row.about.longest %}
<p>Longest tokens: {% for text, size in row.about.longest %}<code>{{ text | tojson }}</code> ({{ size }} bytes)
{{- '' if loop.last else ', ' }}{% endfor %}</p>
<p>Most frequent tokens: {% for text, number in row.about.most_frequent %}<code>{{ text | tojson }}</code>
({{ number | count }}){{ '' if loop.last else ', ' }}{% endfor %}</p>
{% endif %}
</details>
{% endfor %}
</section>

<section aria-labelledby="provenance-title">
<h2 id="provenance-title">Provenance</h2>
<details>
<summary>Where and with what the cells were trained</summary>
<div class="scroll" tabindex="0" role="region" aria-labelledby="provenance-title">
<table>
{{ head([('Host', ''), ('Cells', 'n'), ('Device', ''), ('Threads', 'n'), ('Commit', ''), ('From', ''),
         ('To', ''), ('Processor', ''), ('Python', ''), ('Libraries', ''), ('System', '')]) }}
<tbody>
{% for row in experiment.environments %}
<tr><th scope="row">{{ row.host or 'unknown' }}</th>{{ number(row.cells, row.cells) -}}
<td>{{ row.device or '–' }}</td>{{ number(row.threads, row.threads or '–') -}}
<td>{% if row.commit %}<code title="{{ row.commit }}">{{ row.commit[:12] }}</code>
{%- if row.dirty %} with uncommitted changes{% endif %}{% else %}–{% endif %}</td>
<td>{{ row.first }}</td><td>{{ row.last }}</td><td>{{ row.cpu or '–' }}</td><td>{{ row.python or '–' }}</td>
<td class="wrap">{% for name, version in (row.libraries or {}) | dictsort -%}
{{ name }} {{ version }}{{ '' if loop.last else ', ' }}{% endfor %}</td>
<td class="wrap">{{ row.system or '–' }}</td></tr>
{% endfor %}
</tbody></table></div>
</details>
</section>
</main>
<footer>Loss is the mean cross-entropy in nats per token. Bits per byte divide all nats by ln 2 and by the
UTF-8 bytes of the text, so that tokenizers compare; corpora of bare token ids have no bytes and rank by loss.
Intervals are Student's t over seeds: they do not cover the choice of the test text.</footer>
<script type="application/json" id="data">{{ data }}</script>
<script>{{ plotly }}</script>
<script>{{ script }}</script>
</body>
</html>
"""
