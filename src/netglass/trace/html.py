"""The ladder as a page of its own: the picture, and beside it whatever arrow one points at, steps to or clicks:
its headers, and the control blocks of both ends. Nothing is loaded from anywhere."""

from __future__ import annotations

import json
from html import escape
from typing import Final

from netglass.trace.details import arrow_fields
from netglass.trace.ladder import Ladder, TextTable
from netglass.trace.palette import INKS, rules
from netglass.trace.svg import draw as draw_svg

_STYLE: Final = """
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);
  font:15px/1.5 'Helvetica Neue',Helvetica,Arial,'Liberation Sans','DejaVu Sans',sans-serif}
header{padding:20px 24px 4px;max-width:75ch}
h1{font-size:22px;margin:0 0 6px}
header p{margin:6px 0}
header h2{font-size:17px;margin:0 0 6px}
header table{width:auto;margin:10px 0}
header td,header th{padding-right:24px}
main{display:flex;align-items:flex-start;gap:8px;padding:0 8px 24px}
#picture{flex:1 1 auto;min-width:0;overflow-x:auto}
#picture svg{max-width:100%;height:auto;display:block}
#side{flex:0 0 350px;position:sticky;top:12px;max-height:calc(100vh - 24px);overflow-y:auto;margin-right:12px;
  padding:12px 14px;border:1px solid var(--hair);border-radius:8px;font-size:13px}
#side h2{font-size:15px;margin:0 0 2px}
#side h3{font-size:12px;margin:12px 0 2px;color:var(--soft);font-weight:600}
#side p{margin:2px 0;color:var(--soft)}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
td,th{padding:1px 8px 1px 0;text-align:left;vertical-align:top;font-weight:400}
td+td,th+th{text-align:right}
th{color:var(--soft)}
pre{font:11.5px/1.45 'DejaVu Sans Mono',Menlo,Consolas,monospace;margin:4px 0 0;white-space:pre;overflow-x:auto}
button{font:inherit;color:inherit;background:none;border:1px solid var(--hair);border-radius:6px;padding:2px 10px;
  cursor:pointer}
#tools{display:flex;gap:6px;margin-bottom:10px}
kbd{font:inherit;border:1px solid var(--hair);border-radius:4px;padding:0 4px}
.ng-arrow{cursor:pointer;outline:none}
.ng-arrow:hover .ng-shaft,.ng-arrow.chosen .ng-shaft{stroke-width:3px}
.ng-arrow.chosen text:not(.ng-slanted){font-weight:700}
@media (max-width:900px){main{display:block}#side{position:static;max-height:none;margin:8px}}
@media print{#side{display:none}}
"""

_SCRIPT: Final = """
'use strict';
const arrows = JSON.parse(document.getElementById('arrows').textContent);
const shapes = [...document.querySelectorAll('.ng-arrow')];
const side = document.getElementById('about');
let chosen = -1;

function element(name, text, parent) {
  const made = document.createElement(name);
  if (text !== undefined && text !== null) made.textContent = text;
  if (parent) parent.append(made);
  return made;
}
function time(ns) {
  if (ns === null) return 'never';
  if (ns === 0) return '0';
  const units = [['s', 1e9], ['ms', 1e6], ['us', 1e3]];
  for (const [unit, size] of units) if (ns >= size) return +(ns / size).toFixed(3) + ' ' + unit;
  return ns + ' ns';
}
function table(rows, parent, heads) {
  const made = element('table', null, parent);
  if (heads) { const row = element('tr', null, made); heads.forEach(head => element('th', head, row)); }
  for (const cells of rows) {
    const row = element('tr', null, made);
    cells.forEach(cell => element('td', cell === null ? '\\u2013' : String(cell), row));
  }
  return made;
}
function hex(text) {
  const lines = [];
  for (let at = 0; at < text.length; at += 16) {
    const part = text.slice(at, at + 16);
    const offset = (at / 2).toString(16).padStart(4, '0');
    const letters = part.match(/../g).map(each => String.fromCharCode(parseInt(each, 16)));
    const shown = letters.map(each => each >= ' ' && each <= '~' ? each : '.').join('');
    lines.push(offset + '  ' + part.replace(/(..)(?=.)/g, '$1 ').padEnd(23) + '  ' + shown);
  }
  return lines.join('\\n');
}
function headers(packet) {
  const told = {seq: 'relative seq', ack: 'relative ack', window: 'scaled window'};
  const rows = [];
  for (const [name, value] of Object.entries(packet)) {
    if (name in told && packet[told[name]] !== value) rows.push([name, packet[told[name]] + ' (' + value + ')']);
    else if (!Object.values(told).includes(name)) rows.push([name, value]);
  }
  return rows;
}
function show(number) {
  const arrow = arrows[number];
  side.replaceChildren();
  if (!arrow) return;
  element('h2', arrow.words.join(' '), side);
  const way = arrow.source + ' \\u2192 ' + arrow.destination;
  const end = arrow.lost ? 'lost: ' + arrow.lost : 'arrives ' + time(arrow.arrives_ns);
  element('p', (number + 1) + ' of ' + arrows.length + ' \\u00b7 ' + way, side);
  element('p', 'sent ' + time(arrow.sent_ns) + ', ' + end, side);
  if (arrow.marks.length) element('p', arrow.marks.join(', '), side);
  const packet = {...arrow.packet};
  const bytes = packet.bytes;
  const options = packet.options || [];
  delete packet.bytes;
  delete packet.options;
  element('h3', 'Headers', side);
  table([...headers(packet), ...options.map(each => ['option', each])], side);
  if (arrow.sender || arrow.receiver) {
    element('h3', 'Control blocks: sender when it sends, receiver afterwards', side);
    const names = Object.keys(arrow.sender || arrow.receiver);
    const rows = names.map(name => [name, (arrow.sender || {})[name] ?? null, (arrow.receiver || {})[name] ?? null]);
    table(rows, side, ['', arrow.source, arrow.destination]);
  }
  element('h3', 'Bytes', side);
  element('pre', hex(bytes), side);
}
function choose(number) {
  if (chosen >= 0) shapes[chosen].classList.remove('chosen');
  chosen = Math.max(0, Math.min(number, shapes.length - 1));
  if (!shapes.length) return;
  shapes[chosen].classList.add('chosen');
  shapes[chosen].scrollIntoView({block: 'nearest'});
  show(chosen);
}
shapes.forEach((shape, number) => {
  shape.addEventListener('click', () => choose(number));
  shape.addEventListener('focus', () => choose(number));
  shape.addEventListener('mouseenter', () => show(number));
  shape.addEventListener('mouseleave', () => show(chosen));
});
function paint() {
  const wanted = document.documentElement.dataset.theme === 'dark' ? 'light' : 'dark';
  document.documentElement.dataset.theme = wanted;
}
document.addEventListener('keydown', event => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const steps = {ArrowDown: 1, ArrowRight: 1, j: 1, ArrowUp: -1, ArrowLeft: -1, k: -1};
  if (event.key in steps) choose(chosen < 0 && steps[event.key] > 0 ? 0 : chosen + steps[event.key]);
  else if (event.key === 'Home') choose(0);
  else if (event.key === 'End') choose(shapes.length - 1);
  else if (event.key === 't') paint();
  else return;
  event.preventDefault();
});
document.getElementById('theme').addEventListener('click', paint);
document.getElementById('back').addEventListener('click', () => choose(chosen - 1));
document.getElementById('on').addEventListener('click', () => choose(chosen + 1));
if (matchMedia('(prefers-color-scheme: dark)').matches) document.documentElement.dataset.theme = 'dark';
choose(0);
"""

_PAGE: Final = """<!DOCTYPE html>
<html lang="en" data-theme="light">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<header><h1>{heading}{text}{table}</header>
<main>
<div id="picture">{picture}</div>
<aside id="side">
<div id="tools"><button id="back">Previous</button><button id="on">Next</button>
<button id="theme">Light, dark</button></div>
<div id="about" aria-live="polite"></div>
<p>Step with <kbd>↑</kbd> <kbd>↓</kbd>, change the paper with <kbd>t</kbd>.</p>
</aside>
</main>
<script type="application/json" id="arrows">{arrows}</script>
<script>{script}</script>
</body>
</html>
"""


def draw(ladder: Ladder, title: str, text: str, table: TextTable | None) -> str:
    """The page. Of the title, the second line and those after it are smaller; in the text, an empty line begins a new
    paragraph."""
    arrows = json.dumps([arrow_fields(ladder, arrow) for arrow in ladder.arrows()], separators=(",", ":"))
    paragraphs = [f"<p>{escape(' '.join(each.split()))}</p>" for each in text.split("\n\n") if each.strip()]
    first, *others = (title or "Ladder of " + ", ".join(ladder.hosts)).split("\n")
    return _PAGE.format(
        title=escape(": ".join([first, *others])),
        heading=escape(first) + "</h1>" + "".join([f"<h2>{escape(each)}</h2>" for each in others]),
        text="".join(paragraphs),
        table="" if table is None else _table(table),
        style=_STYLE + _variables(),
        picture=draw_svg(ladder, interactive=True),
        arrows=arrows.replace("<", "\\u003c"),
        script=_SCRIPT,
    )


def _table(table: TextTable) -> str:
    headers, rows = table
    head = "".join([f"<th>{escape(cell)}</th>" for cell in headers])
    body = "".join(["<tr>" + "".join([f"<td>{escape(cell)}</td>" for cell in row]) + "</tr>" for row in rows])
    return f"<table><tr>{head}</tr>{body}</table>"


def _variables() -> str:
    found = []
    for number, theme in enumerate(("light", "dark")):
        values = ";".join([f"--{name}:{colours[number]}" for name, colours in INKS.items()])
        found.append(f'[data-theme="{theme}"]{{{values};color-scheme:{theme}}}')
    return "\n".join(found) + "\n" + rules(True, '[data-theme="dark"] ')
