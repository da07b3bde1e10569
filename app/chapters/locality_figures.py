"""What chapters show of `bench locality`: what edits leave alone, singly and in a row, and what of them is said."""

from collections.abc import Iterator

from app.chapters.method_figures import SHARES, Rows
from app.chapters.stored_figures import n_of, names_below, number, stored, told
from editors.registry.versions import label_of


def _versions(head: str, last: str) -> Iterator[tuple[str, str]]:
    """Versions there are figures of, by their name in the file and as people read it."""
    for name in names_below("locality", head):
        version = name.removesuffix(f".{last}")
        if version != name and "." not in version and version != "best":
            yield version, label_of(version.replace("_", "+"))


def spared(of: str) -> str:
    """What an edit leaves alone: without and with protection, on the same facts, by likelihood; ours, or a file's."""
    head = of or "single"
    first = f"{head}.none"
    kinds = [short for short in SHARES if short in names_below("locality", first)]

    def rows() -> Rows:
        for name, label in _versions(head, "ES"):
            yield label, *(number("locality", f"{head}.{name}.{short}") for short in kinds)

    asked = [f"{SHARES[short]}, {n_of('locality', f'{first}.{short}')} facts" for short in kinds]
    return told("locality", ("", *asked), rows(), part=head)


def worded(_: str) -> str:
    """Why other wordings do not follow, relation by relation: the rows of those that miss some."""

    def rows() -> Rows:
        for row in stored("locality")["wordings"]:
            yield row["relation"], *(str(row[name]) for name in ("wordings", "missed", "by key")), f"{row['share']:.2f}"
        shares = [number("locality", f"wordings.{name}") for name in ("follow", "key", "value")]
        yield f"all: {shares[0]} % follow", n_of("locality", "wordings.follow"), "", f"{shares[1]} %", ""

    head = ("relation", "wordings", "missed", "said with the whole value", "share of it written at the missed")
    return told("locality", head, rows(), part="wordings")


ADDED = {
    "miss": "missed",
    "worded": "at other wordings",
    "near": "at neighbours",
    "listed": "at protected",
}
ANSWERED = {"rewrite": "facts, %", "paraphrase": "other wordings, %", "neighbour": "neighbours, %"}


def crosstalk(_: str) -> str:
    """Closed forms at one layer: what they add where, for residuals drawn and found, and what the model then says."""

    def rows() -> Rows:
        for row in stored("locality")["crosstalk"]:
            added = (f"{row[f'drawn.{what}']:.2f} / {row[f'found.{what}']:.2f}" for what in ADDED)
            said = (f"{row[f'model.{kind}']:.0f}" for kind in ANSWERED)
            yield row["form"], *added, *said, "–" if row["model.area"] is None else f"{row['model.area']:.2f}"

    head = ("form", *(f"{what}, drawn / found" for what in ADDED.values()), *ANSWERED.values(), "area")
    return told("locality", head, rows(), part="crosstalk")


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


LONG = {
    "said": "word for word, % of answers",
    "begun": "tokens right before the first other",
    "neighbours": "neighbours that begin otherwise, %",
    "seconds": "seconds an edit",
}


def long(_: str) -> str:
    """Long answers in windows: what of them the model then says by itself."""

    def rows() -> Rows:
        for length in dict.fromkeys(name.partition(".")[0] for name in names_below("locality", "long")):
            yield f"{length} tokens", *(number("locality", f"long.{length}.{what}") for what in LONG)

    asked = n_of("locality", "long.40.said")
    return told("locality", (f"{asked} answers each", *LONG.values()), rows(), part="long")


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
