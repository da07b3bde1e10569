"""What a study says of itself, in one place: what it is asked and gives, and what is drawn, written and said of it.

Functions and types are named, “module:attribute”, and read when they are first wanted: that a study is listed costs
no import of torch, pandas, Plotly or Streamlit.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from analysis.declared import Declared, Named

if TYPE_CHECKING:
    from analysis.study import Study


@dataclass(frozen=True)
class Command:
    """A command of the terminal: its name, the module whose `configure(parser, name)` gives it flags, what it does."""

    name: str
    module: str
    does: str


@dataclass(frozen=True)
class Page:
    """A page in the top bar, or one that only links lead to."""

    title: str
    visibility: Literal["visible", "hidden"] = "visible"
    script: str = ""
    """Module that draws the page when Streamlit runs its file: of a page of another package. Ours lie in pages/."""


@dataclass(frozen=True)
class Entry(Declared):
    """One study. Fields without a default are what every study has; all others it may do without."""

    kind: ClassVar[str] = "study"
    question: str
    """What it asks of a model, as a heading."""
    does: str
    """What it does, for the list of commands."""
    request: Named
    result: Named
    """A dataclass with `request` and `model`, under its own name."""
    run: Named
    """Function of model, request and report."""
    table: Named
    """Function of a result: its table."""

    resumable: bool = False
    on_edits: bool = False
    passing: bool = False
    parts: str = ""
    kept: bool = True
    """The five as in `analysis.study.Study`."""
    needs_edits: bool = False
    """Whether it compares with the model without edits, and so says nothing where there are none."""

    work: Named = ""
    """Function of a request and an `app.jobs.work.Shape`: about how much a run is, in passes of a token and a layer."""

    command: str = "app.cli.study_command"
    """Module of its command."""
    more_commands: tuple[Command, ...] = ()
    """Commands that belong to its subject and are no study."""

    fields: Named = "app.exports.fields:everything"
    """Function of a result: what stands in its JSON file beside model, request and provenance."""
    summary: Named = ""
    """Function of a result: its lines on the terminal; the table's first rows where there is none."""
    rail: Named = ""
    """Function of a result: how it stands among earlier runs."""
    panels: Named = ""
    """Function of a result and a palette: its figures."""
    caption: Named = ""
    """Function of a result: what stands under all of them."""
    compare: Named = ""
    """Function of two of its results, which draws both on one scale; else each stands beside the other as it is."""
    html: Named = ""
    """Function of a result: its HTML file, where that is more than figures and table."""
    report: Named = ""
    """Function of a result: a report in Markdown."""
    so_far: Named = ""
    """Function of a result: what its files' names add where it did not come to its end, other than steps done."""
    examples: Named = ""
    """Function without arguments: plates of the gallery."""
    plate: Named = ""
    """Function of a model: what Start shows of a study whose examples are made on its page."""
    from_case: Mapping[str, str] = field(default_factory=dict, hash=False)
    """Functions of a case, by the fields of the request they fill in a sweep; none where a sweep does not offer it."""
    split: Named = ""
    """Function of a request: those it is made of, each stored by itself in a sweep."""
    join: Named = ""
    """Function of the results of such: the whole they make, which has `report` and `plain_html`."""
    bench: Named = ""
    """A `Benchmark` of `app.bench.entry`: its speed and exactness on a machine."""
    plain_html: Named = ""
    """Function of a whole: its HTML file, without verdicts."""

    chapter: str = ""
    """Chapter of the documentation about it, a file under docs/."""
    shown: Named = ""
    """Function without arguments: the examples of its chapter, `app.chapters.example.Example` by name."""
    page: str = ""
    """Page that shows its results; empty where only terminal and notebook do."""
    own_page: Page | None = None
    """How the page stands in the top bar: said by the first study of a page."""
    form: Named = ""
    """Function of a result: the request its page's form is filled with by a link, None where no form says it."""
    elsewhere: Named = ""
    """Function of a request: the study on whose page it was made, empty where that is this study's own."""
    words: Named = ""
    """Function of an earlier run: two words that are its picture, None where they are not."""
    fills: Named = ""
    """Function of a request: further forms of the page to fill, by the names of their studies."""

    @cached_property
    def study(self) -> "Study":
        """The study as jobs, store and commands run it; its function is fetched when it is called."""
        from analysis.study import Study

        return Study(
            self.name,
            self.read("request"),
            self.read("result"),
            self._run(),
            resumable=self.resumable,
            on_edits=self.on_edits,
            passing=self.passing,
            parts=self.parts,
            kept=self.kept,
        )

    def takers(self) -> dict[str, Callable[[Any], Any]]:
        """The functions of a case by the fields they fill."""
        return {name: self._read(name, of_case) for name, of_case in self.from_case.items()}

    def commands(self) -> tuple[Command, ...]:
        """Its own command, and those that belong to it."""
        return Command(self.name, self.command, self.does), *self.more_commands

    def gives(self, kind: type) -> bool:
        """Whether results of this type are this study's."""
        return self.result.endswith(f":{kind.__name__}") and self.read("result") is kind

    def _run(self) -> Callable[..., Any]:
        def run(*args: Any, **options: Any) -> Any:
            return self.read("run")(*args, **options)

        run.__module__, _, run.__name__ = self.run.partition(":")
        return run
