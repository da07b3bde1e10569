"""What chapters show of benchmarks: a table each, from docs/figures/NAME.json."""

from collections.abc import Iterator

from app.chapters.stored_figures import by_name, n_of, names_below, number, told
from editors.registry.versions import label_of

Rows = Iterator[tuple[str, ...]]
SHARES = {
    "ES": "the fact (ES)",
    "PS": "other wordings (PS)",
    "NS": "neighbours (NS)",
    "DNS": "behind the new fact (DNS)",
    "RS": "the subject's others (RS)",
}
EDITORS = ("none", "rome", "memit", "emmet", "pmet", "alphaedit", "rome_sadr", "ace", "ft")


def evaluated(_: str) -> str:
    """Editors on our own facts, by likelihood."""

    def rows() -> Rows:
        for method in EDITORS:
            shares = [number("evaluate", f"own.{method}.{short}") for short in SHARES]
            yield label_of(method.replace("_", "+")), *shares, number("evaluate", f"own.{method}.S", 1)

    asked = [f"{name}, {n_of('evaluate', f'own.rome.{short}')} facts" for short, name in SHARES.items()]
    return told("evaluate", ("", *asked, "S"), rows())


def _versions(head: str, last: str) -> Iterator[tuple[str, str]]:
    """Versions there are figures of, by their name in the file and as people read it."""
    for name in names_below("locality", head):
        version = name.removesuffix(f".{last}")
        if version != name and "." not in version and version != "best":
            yield version, label_of(version.replace("_", "+"))


def spared(_: str) -> str:
    """What an edit leaves alone: ROME without and with protection, on the same facts, by likelihood."""

    def rows() -> Rows:
        for name, label in _versions("single", "ES"):
            yield label, *(number("locality", f"single.{name}.{short}") for short in SHARES)

    asked = [f"{label}, {n_of('locality', f'single.rome.{short}')} facts" for short, label in SHARES.items()]
    return told("locality", ("", *asked), rows(), part="single")


IN_A_ROW = {
    "said": "facts, %",
    "worded": "other wordings, %",
    "neighbours": "neighbours, %",
    "neighbours_unedited": "neighbours without edits, %",
    "perplexity_ratio": "perplexity, times",
    "abilities": "abilities, %",
}


def in_a_row(_: str) -> str:
    """What is left after two hundred edits, strictly: every token of the wanted answer the likeliest."""

    def rows() -> Rows:
        for name, label in _versions("stream200", "said"):
            digits = {"perplexity_ratio": 2}
            yield label, *(number("locality", f"stream200.{name}.{what}", digits.get(what, 0)) for what in IN_A_ROW)

    return told("locality", ("after 200 edits", *IN_A_ROW.values()), rows(), part="stream")


WRITTEN = {
    "edit.seconds": "ROME, asked and looked at as on the page",
    "edit.write_seconds": "ROME, search and write alone",
    "edit.seconds_batch20": "MEMIT, a fact of twenty in one edit",
}


def seconds(_: str) -> str:
    """How long an edit takes, with the whole search and with one that stops early."""

    def rows() -> Rows:
        for name, label in WRITTEN.items():
            yield label, number("locality", name, 1), number("locality", f"{name}_early", 1), n_of("locality", name)

    return told("locality", ("seconds an edit", "whole search", "early stop", "edits"), rows(), part="seconds")


REPAIRED = {"state": "hidden state", "mlp": "MLP outputs", "attn": "attention outputs"}


def traced(_: str) -> str:
    """A trace held against one forward a cell."""

    def rows() -> Rows:
        for kind, name in REPAIRED.items():
            seconds = [number("tracing", f"{kind}.{what}", 1) for what in ("seconds", "plain_seconds", "ratio")]
            far = f"{by_name('tracing')[f'{kind}.max_abs_difference']['value']:.0e}"
            yield name, *seconds, far, n_of("tracing", f"{kind}.ratio")

    head = ("repaired", "seconds", "one forward a cell, s", "times faster", "largest difference of P", "cells")
    return told("tracing", head, rows())
