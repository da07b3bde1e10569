"""An evaluation as one HTML file to send on: no script, nothing from outside, readable by day and by night.

Every number stands in a table; the bar beside it is a drawing of the same number. All text from outside, prompts and
answers above all, is escaped, and the file's own policy lets a browser load nothing.
"""

import tomllib
from functools import cache
from html import escape

import numpy as np

from app.charts.palette import THEME, Light, written
from app.charts.prompt_kinds import TITLES
from app.studies.evaluate.gates.words import SIGNS, gate_said, measured, subject, verdict_said, wanted
from app.studies.evaluate.reports.markdown import cell
from app.studies.evaluate.words import PROTOCOL_WORDS
from editors.cases.case import counted
from editors.edit.probes import Kind
from editors.evaluation.gates import DEFAULT, Gate
from editors.evaluation.result import IN_PERCENT, PROTOCOLS, EvaluateResult, Mean, Protocol
from editors.evaluation.verdicts import verdicts
from editors.registry.versions import label_of

WORST = 5
WIDE, HIGH, EDGE = 220, 18, 6
"""Pixels of an interval's drawing, and what is kept free at its sides."""
MARKS = {1.0: ("right", "✓"), 0.0: ("wrong", "✕")}
POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
RULES = """
* { box-sizing: border-box }
p, li, th, td { unicode-bidi: plaintext }
body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.5 var(--text) }
main { max-width: 60rem; margin: 0 auto; padding: 2rem 1rem 4rem }
h1, h2, h3 { font-family: var(--head); font-weight: 500; line-height: 1.2; margin: 2.2rem 0 .5rem }
h1 { font-size: 2.6rem; margin-top: 0 } h2 { font-size: 1.8rem } h3 { font-size: 1.25rem; font-weight: 600 }
p, ul, dl { max-width: 44rem; margin: .4rem 0 } ul { padding-left: 1.2rem }
.note { color: var(--grey); font-size: .875rem }
.scroll { overflow-x: auto }
table { border-collapse: collapse; margin: .8rem 0; font-size: .9375rem; font-variant-numeric: tabular-nums }
th, td { text-align: left; vertical-align: middle; padding: .25rem .9rem .25rem 0; border-top: 1px solid var(--line) }
thead th { color: var(--grey); font-weight: 400; border-top: 0 }
tbody th { font-weight: 500 } .same th, .same td { border-top-color: transparent }
svg { display: block } .axis { stroke: var(--line) } .bar { stroke-width: 2 }
.bare .bar, .bare circle { stroke: var(--grey) } .bare circle { fill: var(--paper); stroke-width: 2 }
.edit .bar { stroke: var(--over) } .edit circle { fill: var(--over) }
.admit, .right { color: var(--green) } .hold { color: var(--yellow) } .reject, .wrong { color: var(--red) }
.mark { display: inline-block; width: 1.3em; font-weight: 600 } .none { color: var(--grey) }
details { border-top: 1px solid var(--line); padding: .4rem 0; max-width: 56rem } summary { cursor: pointer }
details ul { list-style: none; padding-left: .6rem } .said { color: var(--grey); font-style: italic }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .1rem 1.2rem } dt { color: var(--grey) }
dd { margin: 0; overflow-wrap: anywhere } code { font: .8125rem var(--code); overflow-wrap: anywhere }
@media print { details { break-inside: avoid } }
"""


def judged_report(result: EvaluateResult) -> str:
    """The report with verdicts by the gate that is there by itself."""
    return html_report(result, gate=DEFAULT)


def html_report(result: EvaluateResult, gate: Gate | None = None) -> str:
    """The report, a whole HTML document; with verdicts where there is a gate."""
    name = str(result.model["name"])
    parts = [
        f"<h1>How good is an edit?</h1>{_paragraph(_opening(result))}",
        _gate(result, gate) if gate else "",
        *(_protocol(result, protocol) for protocol in PROTOCOLS),
        _score(result),
        "".join(_worst(result, at) for at in range(1, len(result.versions))),
        _list("Refused", result.faults),
        _list("Prompts left out", result.left_out),
        _provenance(result),
    ]
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{escape(POLICY)}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>Evaluation on {escape(name)}</title>\n<style>\n{_style()}</style>\n</head>\n<body>\n<main>\n"
        + "\n".join(part for part in parts if part)
        + "\n</main>\n</body>\n</html>\n"
    )


@cache
def _style() -> str:
    theme = tomllib.loads(THEME.read_text(encoding="utf-8"))["theme"]
    fonts = f"--text: {theme['font']}; --head: {theme['headingFont']}; --code: {theme['codeFont']}"
    dark = f"@media (prefers-color-scheme: dark) {{ :root {{ {_seats('dark')} }} }}"
    return f":root {{ color-scheme: light dark; {fonts}; {_seats('light')} }}\n{dark}{RULES}"


def _seats(light: Light) -> str:
    theme, palette = tomllib.loads(THEME.read_text(encoding="utf-8"))["theme"][light], written(light)
    colours = {
        "paper": theme["backgroundColor"],
        "ink": theme["textColor"],
        "line": palette.grid,
        "grey": theme["grayTextColor"],
        "over": palette.over,
        "green": theme["greenTextColor"],
        "yellow": theme["yellowTextColor"],
        "red": theme["redTextColor"],
    }
    return "; ".join(f"--{name}: {colour}" for name, colour in colours.items())


def _opening(result: EvaluateResult) -> str:
    request = result.request
    how = "each by itself" if request.mode == "single" else "all in one edit"
    methods = ", ".join(label_of(version) for version in result.versions[1:]) or "no method"
    return (
        f"{result.model['name']}; {counted(len(request.cases))}, written {how} with {methods}. Numbers are means over "
        "cases of the mean over a case’s prompts, with half of the 95 % interval and the number of cases. Compare "
        "within one protocol only."
    )


def _paragraph(text: str, kind: str = "plain") -> str:
    return f'<p class="{kind}">{escape(text)}</p>'


def _gate(result: EvaluateResult, gate: Gate) -> str:
    found = verdicts(result, gate)
    lines = "".join(
        f'<li><span class="mark {one.decision}">{SIGNS[one.decision]}</span>{escape(verdict_said(one))}</li>'
        for one in found
    )
    rows = []
    for one in found:
        for place, finding in enumerate(one.findings):
            word = f'<span class="{finding.decision}">{SIGNS[finding.decision]} {finding.decision}</span>'
            cells = (measured(finding), str(finding.n), wanted(finding.threshold), finding.threshold.source)
            rows.append(
                f"<tr{_same(place)}><th>{escape(label_of(one.method)) if not place else ''}</th>"
                f"<td>{escape(subject(finding.threshold))}</td>"
                + "".join(f"<td>{escape(cell)}</td>" for cell in cells[:3])
                + f"<td>{word}</td><td>{escape(finding.reason or cells[3])}</td></tr>"
            )
    head = _head("method", "of", "measured, 95 %", "cases", "wanted", "", "why held; else where the value is from")
    said = gate_said(gate)
    return (
        f"<h2>Does it pass?</h2><ul>{lines}</ul>"
        + _paragraph(
            f"By the {said}. Admitted is what the worse end of the 95 % interval shows, rejected what its better end "
            "rules out, all else is held. Intervals here are Wilson’s for shares and Bonett and Price’s for changes.",
            "note",
        )
        + f'<div class="scroll"><table>{head}<tbody>{"".join(rows)}</tbody></table></div>'
    )


def _head(*words: str) -> str:
    return f"<thead><tr>{''.join(f'<th>{escape(word)}</th>' for word in words)}</tr></thead>"


def _same(place: int) -> str:
    return ' class="same"' if place else ""


def _protocol(result: EvaluateResult, protocol: Protocol) -> str:
    table: list[tuple[Kind, int, Mean]] = []
    for kind in TITLES:
        means = [(at, result.mean(at, protocol, kind)) for at in range(len(result.versions))]
        table += [(kind, at, mean) for at, mean in means if mean is not None]
    if not table:
        return ""
    low, high = _scale([mean for _, _, mean in table], protocol)
    rows, before = [], None
    for kind, at, mean in table:
        title = "" if kind == before else TITLES[kind]
        rows.append(
            f"<tr{_same(int(kind == before))}><th>{escape(title)}</th><td>{escape(label_of(result.versions[at]))}</td>"
            f"<td>{_dot(mean, low, high, 'edit' if at else 'bare')}</td><td>{escape(cell(mean, protocol))}</td></tr>"
        )
        before = kind
    ends = ("0", "100 %") if protocol in IN_PERCENT else (f"{low:.3g}", f"{high:.3g}")
    meaning = PROTOCOLS[protocol]
    unit = ", in percent" if protocol in IN_PERCENT else ""
    head = _head("prompts", "method", f"{ends[0]} to {ends[1]}", "mean ± half of 95 % (cases)")
    return (
        f"<h2>{escape(PROTOCOL_WORDS[protocol])}</h2>"
        + _paragraph(f"{protocol}: {meaning}{unit}.", "note")
        + f'<div class="scroll"><table>{head}<tbody>{"".join(rows)}</tbody></table></div>'
    )


def _half(mean: Mean) -> float:
    return mean.half_width if np.isfinite(mean.half_width) else 0.0


def _scale(means: list[Mean], protocol: Protocol) -> tuple[float, float]:
    if protocol in IN_PERCENT:
        return 0.0, 1.0
    low = min(0.0, *(mean.value - _half(mean) for mean in means), 0.0)
    return low, max(low + 1e-9, 0.0, *(mean.value + _half(mean) for mean in means))


def _dot(mean: Mean, low: float, high: float, kind: str) -> str:
    def x(value: float) -> float:
        return EDGE + (WIDE - 2 * EDGE) * min(max((value - low) / (high - low), 0.0), 1.0)

    left, right, middle = x(mean.value - _half(mean)), x(mean.value + _half(mean)), HIGH / 2
    return (
        f'<svg class="{kind}" width="{WIDE}" height="{HIGH}" viewBox="0 0 {WIDE} {HIGH}" aria-hidden="true">'
        f'<line class="axis" x1="{EDGE}" x2="{WIDE - EDGE}" y1="{middle}" y2="{middle}"/>'
        f'<line class="bar" x1="{left:.1f}" x2="{right:.1f}" y1="{middle}" y2="{middle}"/>'
        f'<circle cx="{x(mean.value):.1f}" cy="{middle}" r="4.5"/></svg>'
    )


def _score(result: EvaluateResult) -> str:
    scores = [(version, result.score(at)) for at, version in enumerate(result.versions)]
    told = ", ".join(f"{label_of(version)} {100 * score:.1f}" for version, score in scores if score is not None)
    if not told:
        return ""
    return _paragraph(f"S, the harmonic mean of likelihood on the fact itself, other words and neighbours: {told}.")


def _worst(result: EvaluateResult, at: int) -> str:
    cases = []
    for number in result.worst(at, WORST):
        case = result.request.cases[number]
        own = np.flatnonzero(result.case == number)
        strict = result.values[at, list(PROTOCOLS).index("strict")]
        lines = []
        for place in own:
            style, sign = MARKS.get(float(strict[place]), ("none", "–"))
            word = {"right": "as wished", "wrong": "not as wished"}.get(style, "not measured")
            said = result.texts[at][place]
            lines.append(
                f'<li><span class="mark {style}" role="img" aria-label="{word}">{sign}</span>'
                f"{escape(result.prompts[place])}"
                + (f' <span class="said">{escape(said)}</span>' if said else "")
                + f' <span class="note">{escape(TITLES[result.kinds[place]])}</span></li>'  # type: ignore[index]
            )
        right = int((strict[own] == 1).sum())
        title = f"{case.rewrite.text} → {case.rewrite.target}, {right} of {len(own)} as wished"
        cases.append(f"<details><summary>{escape(title)}</summary><ul>{''.join(lines)}</ul></details>")
    if not cases:
        return ""
    note = "By how many prompts are answered as wished when forced; in italics what was said freely."
    return f"<h2>Worst first, {escape(label_of(result.versions[at]))}</h2>{_paragraph(note, 'note')}{''.join(cases)}"


def _list(title: str, lines: list[str]) -> str:
    if not lines:
        return ""
    return f"<h2>{escape(title)}</h2><ul>{''.join(f'<li>{escape(line)}</li>' for line in lines)}</ul>"


def _provenance(result: EvaluateResult) -> str:
    card, made, request = result.model, result.provenance, result.request
    rows = {
        "model": card["name"],
        "revision": card.get("revision"),
        "weights": card["weights_hash"],
        "number type": card.get("dtype"),
        "seed": request.seed,
        "when": made.get("created_at"),
        "seconds": made.get("seconds"),
        "Palimpsest": made.get("palimpsest"),
        **made.get("versions", {}),
    }
    told = "".join(
        f"<dt>{escape(str(name))}</dt><dd><code>{escape(str(value))}</code></dd>"
        for name, value in rows.items()
        if value not in (None, "")
    )
    return f"<h2>Made with</h2><dl>{told}</dl>"
