"""What chapters show of benchmarks: a table each, from docs/figures/NAME.json."""

from collections.abc import Iterator

from app.chapters.stored_figures import by_name, n_of, number, told
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
