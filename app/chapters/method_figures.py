"""What chapters show of benchmarks: a table each, from docs/figures/NAME.json."""

from collections.abc import Iterator

from app.chapters.stored_figures import by_name, here, n_of, names_below, number, told
from editors.registry.methods import label_of

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


WRITTEN = {"ES": "the fact, %", "PS": "other wordings, %", "NS": "neighbours, %"}


def edited(_: str) -> str:
    """One at a time, together, one upon the other: what holds, and what it costs the model."""

    def rows() -> Rows:
        for name in dict.fromkeys(name.rpartition(".")[0] for name in by_name("editing") if name.endswith(".ES")):
            shares = [here("editing", f"{name}.{short}") for short in WRITTEN]
            said = here("editing", f"{name}.greedy")
            yield (
                _said(name),
                *shares,
                said,
                here("editing", f"{name}.perplexity_ratio", 2),
                n_of("editing", f"{name}.ES"),
            )

    head = ("written", *WRITTEN.values(), "the fact, said, %", "perplexity, times", "facts")
    return told("editing", head, rows())


def _said(name: str) -> str:
    """`sequential20.alphaedit_no_past` in words."""
    where, _, method = name.rpartition(".")
    ways = {"alphaedit": "AlphaEdit", "alphaedit_no_projection": "AlphaEdit, nothing projected"}
    ways["alphaedit_no_past"] = "AlphaEdit, earlier keys not spared"
    if where:
        return f"{ways.get(method, method.upper())}, one upon the other"
    bare = name.rstrip("0123456789")
    return f"{bare.upper()}, {'one at a time' if bare == name else 'together'}"


RESTRAINED = {
    "none": "no edit",
    "rome": "ROME",
    "rome_steps": "ROME, as many steps as with SADR",
    "rome_sadr": "ROME + SADR",
    "memit": "MEMIT",
    "memit_steps": "MEMIT, as many steps",
    "memit_sadr": "MEMIT + SADR",
}


def drifted(_: str) -> str:
    """Attention held back, beside a search of as many steps without."""

    def rows() -> Rows:
        for method, name in RESTRAINED.items():
            shares = [here("drift", f"{method}.{short}") for short in SHARES]
            said = [here("drift", f"{method}.{short}_greedy") for short in ("RS", "DNS")]
            yield name, *shares, *said, n_of("drift", f"{method}.ES")

    head = ("", *SHARES.values(), "RS, said", "DNS, said", "prompts of ES")
    return told("drift", head, rows())


def switched_off(_: str) -> str:
    """The strongest value neurons off, and as many random ones."""

    def rows() -> Rows:
        for name, words in {"top": "the strongest", "random": "random ones of the same layers"}.items():
            for whole in dict.fromkeys(one.partition(".")[0] for one in names_below("neurons", "ablate")):
                if whole.startswith(name):
                    kept, left = (number("neurons", f"ablate.{whole}.{what}", 2) for what in ("kept", "probability"))
                    yield f"{whole.removeprefix(name)} {words}", kept, left, n_of("neurons", f"ablate.{whole}.kept")

    head = ("value neurons switched off", "answer stays, share", "of its probability, mean share", "facts")
    return told("neurons", head, rows())
