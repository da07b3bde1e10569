"""What its chapter shows on the embedded model: a command, its figures, and how they are written."""

from typing import TYPE_CHECKING

from app.chapters.example import BENCH, Add, Example, Rows, value
from app.chapters.stored_figures import n_of, names_below

if TYPE_CHECKING:
    from analysis import ConflictResult, HeadsResult, KnockoutResult

TREATED = {
    "none": "nothing silenced",
    "ranked": "{heads} for {side} silent",
    "random": "{heads} at random, of the layers of those for {side}, silent",
    "weakest": "of all the weakest, {heads}, silent",
    "mean": "{heads} for {side} at their mean",
    "instruction": "an instruction against {side}",
    "context-aware decoding": "context-aware decoding",
}
SIDES = {"context": "the page"}


def _heads_of(count: int) -> str:
    return "1 head" if count == 1 else f"{count} heads"


def _heads_figures(add: Add, found: "HeadsResult") -> None:
    from analysis.internals.head_names import parse_head

    for at, name in enumerate(("memory", "page")):
        add(f"without_page.{name}", found.clean_probability[at], "P")
        for silent_heads in range(len(found.grid_probability)):
            add(f"silent{silent_heads}.{name}", found.grid_probability[silent_heads, 0, at], "P")
    for side, names in (("memory", found.memory_heads), ("page", found.context_heads)):
        for name in names[:3]:
            add(f"{side}.{name}", found.scores.balance()[parse_head(name)], "S_c − S_m")


def _heads_rows() -> Rows:
    strongest = {
        side: ", ".join(name[len(side) + 1 :] for name in names_below(BENCH, "heads") if name.startswith(f"{side}."))
        for side in ("memory", "page")
    }
    yield "without the page", value("heads", "without_page.memory", 3), value("heads", "without_page.page", 3)
    for count in range(len([name for name in names_below(BENCH, "heads") if name.endswith(".memory")]) - 1):
        says = f"{_heads_of(count)} for memory silent"
        if not count:
            says = f"with it; strongest: {strongest['memory']} for memory, {strongest['page']} for the page"
        yield says, value("heads", f"silent{count}.memory", 3), value("heads", f"silent{count}.page", 3)


def _knockout_figures(add: Add, found: "KnockoutResult") -> None:
    for cut, change, half in zip(found.cuts, found.change, found.half_width, strict=True):
        for at, side in enumerate(("memory", "page")):
            worst = int(change[:, at].argmin())
            add(f"{cut}.{side}", 100 * change[worst, at], "% of P", len(found.examples), 100 * half[worst, at])
            add(f"{cut}.{side}.layer", worst, "layer")


def _knockout_rows() -> Rows:
    for name in names_below(BENCH, "knockout"):
        if name.endswith(".layer"):
            continue
        cut, _, side = name.rpartition(".")
        yield (
            cut,
            "memory’s" if side == "memory" else "the page’s",
            value("knockout", name),
            value("knockout", f"{name}.layer"),
            n_of(BENCH, f"knockout.{name}"),
        )


def _conflict_figures(add: Add, found: "ConflictResult") -> None:
    from app.studies.conflict.table import outcome_row

    for one in found.outcomes:
        row = outcome_row(one)
        for name in ("RM", "RC", "clean_accuracy"):
            add(f"{one.treatment}.{one.side or 'none'}.{one.k}.{name}", row[name], "share", one.n)


def _conflict_rows() -> Rows:
    for name in names_below(BENCH, "conflict"):
        if name.endswith(".RM"):
            treatment, side, count, _ = name.rsplit(".", 3)
            said = TREATED[treatment].format(heads=_heads_of(int(count)), side=SIDES.get(side, side))
            cells = [value("conflict", name.removesuffix("RM") + what, 2) for what in ("RM", "RC", "clean_accuracy")]
            yield said, *cells, n_of(BENCH, f"conflict.{name}")


def examples() -> dict[str, Example]:
    """The examples, by their part of the benchmark."""
    return {
        "heads": Example(
            'heads --prompt "The capital of France is Rome. The capital of France is" --subject France --context Rome',
            ("run", "P(Paris)", "P(Rome)"),
            _heads_figures,
            _heads_rows,
        ),
        "knockout": Example(
            "knockout --n 4",
            ("cut", "answer", "change of its probability, %", "layer", "prompts"),
            _knockout_figures,
            _knockout_rows,
        ),
        "conflict": Example(
            "conflict --find 6 --validation 3 --test 6 --ks 1,3 --draws 5",
            ("treatment", "memory wins, RM", "the page wins, RC", "known still", "prompts"),
            _conflict_figures,
            _conflict_rows,
        ),
    }
