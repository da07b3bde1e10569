"""What chapters show of loading, watching and taking away: a table each, from docs/figures/NAME.json."""

from collections.abc import Iterator

from app.chapters.stored_figures import by_name, n_of, number, told

Rows = Iterator[tuple[str, ...]]


def loaded(_: str) -> str:
    """What loading and a first edit take, by shape and file."""

    def rows() -> Rows:
        for case in dict.fromkeys(name.rsplit(".", 2)[0] for name in by_name("loading") if name.endswith("load.peak")):
            shape, _, form = case.rpartition(".")
            memory = (number("loading", f"{case}.{what}") for what in ("weights", "load.peak", "edit.peak"))
            seconds = (number("loading", f"{case}.{what}.seconds", 1) for what in ("load", "edit"))
            yield shape, form, *memory, *seconds

    head = (
        "shape",
        "file",
        "weights, MB",
        "loading, peak, MB",
        "a first edit, peak",
        "loading, s",
        "a first edit, s",
    )
    return told("loading", head, rows())


def families(_: str) -> str:
    """How many families are read, and what became of every study in them."""
    names = ("families tried", "families read", "outcomes exact", "outcomes refused", "defects")
    return told("families", ("", "number"), ((name, number("families", name)) for name in names))


def watched(_: str) -> str:
    """What people who watch a run cost it, and how long they wait for a page."""

    def rows() -> Rows:
        for people in ("1", "4", "8"):
            head = f"sessions{people}"
            shares = [number("ui", f"{head}.{what}", 0, 100) for what in ("run_share", "redraw_share")]
            waits = [number("ui", f"{head}.{what}", 2) for what in ("switch_p50", "switch_p95")]
            yield people, *shares, *waits, n_of("ui", f"{head}.switch_p50")

    head = (
        "people",
        "the run has of a processor, %",
        "redraws, %",
        "a page, median s",
        "95 of 100, s",
        "pages",
    )
    return told("ui", head, rows())


def shared(_: str) -> str:
    """What people at one server see of each other, and how long they wait, each with another edit on."""

    def rows() -> Rows:
        for people in ("1", "8", "30"):
            head = f"visitors{people}"
            pages = [number("server", f"{head}.{what}", 2) for what in ("idle_page_p50", "page_p50")]
            late = [number("server", f"{head}.{what}", 2) for what in ("idle_page_p95", "page_p95")]
            waits = number("server", f"{head}.wait_longest", 1), number("server", f"{head}.wait_unfairness", 2)
            yield (
                people,
                number("server", f"{head}.cross_talk"),
                *pages,
                *late,
                *waits,
                n_of("server", f"{head}.page_p50"),
            )

    head = (
        "people",
        "told what another wrote",
        "a page, median s",
        "beside a run",
        "95 of 100, s",
        "beside a run",
        "longest wait of a run, s",
        "of the median",
        "pages",
    )
    return told("server", head, rows())


ATTACKS = {
    "recipe": "recipes", "weights": "weights of recipes", "archive": "archives", "edit": "edits",
    "file": "files of cases",
    "link": "links", "header": "requests byte for byte",
}  # fmt: skip


def attacked(_: str) -> str:
    """Hostile input by kind, and runs that were killed."""

    def rows() -> Rows:
        for kind, name in ATTACKS.items():
            yield name, *(number("server", f"hostile.{kind}.{what}") for what in ("tried", "failed"))
        for what, name in (("", "runs killed with their process"), ("run_", "the process of runs killed alone")):
            tried, survived = (by_name("server")[f"kills.{what}{one}"]["value"] for one in ("tried", "survived"))
            yield name, f"{tried:.0f}", f"{tried - survived:.0f}"

    return told("server", ("", "tried", "failed, or lost more than the run"), rows())


SOURCES = {"embedded": "the embedded model", "hub": "an id of the hub", "folder": "a folder", "gguf": "a GGUF file"}


def taken(_: str) -> str:
    """Each form of each kind of base, run where there is no Palimpsest."""

    def rows() -> Rows:
        for source, words in SOURCES.items():
            for form in ("script", "peft", "hf", "bundle"):
                ran = by_name("exports")[f"{form}.{source}.ok"]["value"]
                difference = number("exports", f"{form}.{source}.difference", 1)
                yield words, f"`{form}`", "yes" if ran else "no", difference

    return told("exports", ("base", "form", "runs alone", "largest difference of logits"), rows())
