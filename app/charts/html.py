"""A result as one HTML file that opens anywhere: question, request, model, day, figures with captions, table.

It needs no network and asks for none: Plotly and the fonts are inside, and the file's own policy lets a browser load
nothing else. All text from outside is escaped.
"""

import html
import json
from typing import Any

import pandas as pd

from app.charts.marked import marked_html
from app.charts.palette import Light, written
from app.charts.panels import Panel, caption, panels
from app.charts.written_theme import faces, inks, type_of
from app.exports.heading import heading
from app.exports.tables import table
from app.registry.studies import entry_of

ROWS = 2000
"""Rows of the table that are written out; the CSV has all."""
POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:; font-src data:; "
    "base-uri 'none'; form-action 'none'"
)
RULES = """
*{box-sizing:border-box}
p,li,th,td,h1{unicode-bidi:plaintext}
body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.5 var(--text)}
main{max-width:80rem;margin:0 auto;padding:2rem 1.5rem 4rem}
h1{font:500 2.75rem/1.15 var(--display);margin:0 0 .6rem}
h2{font:550 1.4rem/1.25 var(--display);margin:0 0 .3rem}
p{margin:.3rem 0;max-width:60rem}
.gray,.made{color:var(--gray);font-size:.875rem}
.blue{color:var(--blue)}.orange{color:var(--orange)}.violet{color:var(--violet)}.green{color:var(--green)}
.red{color:var(--red)}
.panels{display:grid;grid-template-columns:repeat(6,minmax(0,1fr));gap:1.6rem 1.5rem;margin:1.6rem 0 1rem;
border-top:1px solid var(--line);padding-top:1.4rem}
.panels>section{min-width:0}.b1{grid-column:span 6}.b2{grid-column:span 3}.b3{grid-column:span 2}
@media(max-width:60rem){.b2,.b3{grid-column:span 6}}
details{border-top:1px solid var(--line);padding:.6rem 0}summary{cursor:pointer}
.scroll{overflow-x:auto}
table{border-collapse:collapse;font-size:.8125rem;font-variant-numeric:tabular-nums}
th,td{text-align:left;padding:.15rem .9rem .15rem 0;border-top:1px solid var(--line);white-space:nowrap;
max-width:28rem;overflow:hidden;text-overflow:ellipsis}
thead th{color:var(--gray);font-weight:400;border-top:0}
pre,code{font:.8125rem/1.5 var(--code);white-space:pre-wrap;overflow-wrap:anywhere}
"""


def result_html(result: Any, light: Light = "light") -> str:
    """The file of a result: its study's own, or figures and table."""
    entry = entry_of(result)
    return entry.read("html")(result) if entry.html else figure_html(result, light)


def figure_html(result: Any, light: Light = "light") -> str:
    """Figures, captions and table of a result; the same from a page as from anywhere."""
    over, drawn, below = heading(result), panels(result, written(light)), caption(result)
    request = json.dumps(result.request.model_dump(mode="json"), ensure_ascii=False, indent=1)
    body = "".join(
        (
            f"<h1>{html.escape(over.question)}</h1><p>{html.escape(over.asked)}</p>",
            f'<p class="made">{html.escape(over.model)}<br>{html.escape(over.made)}</p>',
            f'<div class="panels">{"".join(map(_section, range(len(drawn)), drawn))}</div>' if drawn else "",
            f"<p>{marked_html(below)}</p>" if below else "",
            _table(table(result), opened=not drawn),
            f"<details><summary>The request, whole</summary><pre>{html.escape(request)}</pre></details>",
            f'<p class="made">Palimpsest <code>{html.escape(over.name)}</code></p>',
        )
    )
    seats = ";".join(f"--{name}:{value}" for name, value in {**inks(light), **type_of()}.items())
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{html.escape(POLICY)}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{html.escape(over.question)} {html.escape(over.asked)}</title>\n"
        f"<style>\n{faces(body)}\n:root{{{seats};color-scheme:{light}}}{RULES}</style>\n</head>\n"
        f"<body>\n<main>\n{body}\n</main>\n</body>\n</html>\n"
    )


def _section(number: int, panel: Panel) -> str:
    figure = panel.figure
    figure.layout.template = "plotly"  # importing Streamlit registers another
    drawn = figure.to_html(
        full_html=False, include_plotlyjs=number == 0, config={"displaylogo": False, "displayModeBar": False}
    )
    title = f"<h2>{marked_html(panel.title)}</h2>" if panel.title else ""
    note = f"<p>{marked_html(panel.note)}</p>" if panel.note else ""
    return f'<section class="b{panel.beside}">{title}{drawn}{note}</section>'


def _table(rows: pd.DataFrame, *, opened: bool) -> str:
    shown = rows.head(ROWS)
    many = f"{len(rows):,} rows" if len(shown) == len(rows) else f"the first {ROWS:,} of {len(rows):,} rows"
    with pd.option_context("display.max_colwidth", None):
        written_out = shown.to_html(index=False, border=0, na_rep="", justify="left", float_format="{:.6g}".format)
    return (
        f"<details{' open' if opened else ''}><summary>The numbers as a table: {many}</summary>"
        f'<div class="scroll">{written_out}</div></details>'
    )
