"""A case: facts to write, and the prompts that test them. The one form every data set is read into."""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from analysis.errors import BadRequest, WorkbenchError
from analysis.facts.facts import Fact, another_object, in_turn
from analysis.text import boundary
from analysis.text.boundary import Boundary
from editors.edit.probes import Kind, Probe, probes_of
from editors.edit.request import Rewrite


@dataclass(frozen=True)
class Case:
    """Facts that are written together, with what stood there and the prompts that test them."""

    rewrites: tuple[Rewrite, ...]
    olds: tuple[str, ...]
    """The answer that stood at each; empty where the data does not say."""
    probes: tuple[Probe, ...]
    """`Probe.fact` counts rewrites of this case; an empty `old` is not known."""
    generation: tuple[str, ...] = ()
    id: str = ""
    relation: str = ""

    @property
    def rewrite(self) -> Rewrite:
        """The first fact."""
        return self.rewrites[0]

    def count(self, kind: Kind) -> int:
        """Prompts of a kind."""
        return sum(probe.kind == kind for probe in self.probes)


def behind(rewrite: Rewrite, prompt: str, put: Boundary = "auto") -> str:
    """A prompt behind the edit as a sentence: the distracting neighbourhood task."""
    return boundary.behind(boundary.sentence(rewrite.text, rewrite.target, put), prompt)


def distracting(rewrites: Sequence[Rewrite], probes: Iterable[Probe], put: Boundary = "auto") -> list[Probe]:
    """Each neighbour behind the sentence of its fact's edit, whose answer is put as `put` says."""
    return [
        Probe(probe.fact, "distracting", behind(rewrites[probe.fact], probe.prompt, put), probe.new, probe.old)
        for probe in probes
        if probe.kind == "neighbour"
    ]


def case_of(fact: Fact, target: str) -> Case:
    """A stored fact with another answer; prompts whose two answers are the same are left out.

    Raises `BadRequest` where the new answer is the old one.
    """
    rewrite = Rewrite.of(fact, target)
    if rewrite.target == fact.object:
        raise BadRequest(f"“{rewrite.text}”: the new answer is the old one, “{target}”.")
    probes = [probe for probe in probes_of(0, rewrite, fact.object, fact) if probe.new != probe.old]
    return Case(
        (rewrite,),
        (fact.object,),
        (*probes, *distracting([rewrite], probes)),
        tuple(text.replace("{}", fact.subject) for text in fact.generation),
        fact.id,
        fact.relation,
    )


def own_cases(facts: Iterable[Fact]) -> list[Case]:
    """Stored facts, each with another answer of its relation, relations in turn; one that has no other is left out."""
    cases: list[Case] = []
    for fact in facts:
        with suppress(WorkbenchError):
            cases.append(case_of(fact, another_object(fact)))
    return in_turn(cases)


def counted(count: int, noun: str = "case") -> str:
    """A number of things: 1 case, 2 cases."""
    return f"{count} {noun}{'' if count == 1 else 's'}"
