"""What a public server takes: whole requests by their texts, files and work, whichever field makes them long."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from analysis import ConflictRequest, ModelSpec, TraceRequest, read_facts
from analysis.errors import BadRequest
from app.jobs.model_slot import ModelSlot
from app.jobs.run_here import RunHere
from app.jobs.services import Services
from app.jobs.work import Paces, Shape, tokens_in
from app.registry.studies import ENTRIES, STUDIES
from app.session import limits
from editors import EditRequest, EvaluateRequest
from editors.cases.case import own_cases
from editors.edit.probes import Probe
from editors.edit.request import Rewrite

SPEC = ModelSpec()
CASE = own_cases(read_facts())[0]
FACT = Rewrite(prompt="{} is located in the city of", subject="The Eiffel Tower", target="Rome")


@pytest.fixture
def made() -> Any:
    return Services(RunHere(ModelSlot()), None, None)  # type: ignore[arg-type]


def probes(count: int, prompt: str = "The Louvre is in", answer: str = "Paris") -> tuple[Probe, ...]:
    return tuple(Probe(0, "neighbour", f"{prompt} {number}", "Rome", answer) for number in range(count))


def asked(case: Any, **more: Any) -> EvaluateRequest:
    return EvaluateRequest(cases=(case,), methods=("rome",), **more)


LONG: dict[str, tuple[str, Any, str]] = {
    "neighbours": ("evaluate", asked(replace(CASE, probes=probes(100_000))), "characters in all"),
    "many neighbours": ("evaluate", asked(replace(CASE, probes=probes(9_500))), "Lower the prompts of its cases"),
    "paraphrases": ("evaluate", asked(replace(CASE, probes=probes(200, "a " * 9_000))), "at most 2,000 characters"),
    "answers": ("evaluate", asked(replace(CASE, probes=probes(1, answer="a" * 50_000))), "at most 2,000 characters"),
    "steps": (
        "edit",
        EditRequest(
            facts=tuple(FACT.model_copy(update={"subject": f"Tower {number}"}) for number in range(20)),
            method="memit",
            steps=500,
            contexts=50,
            context_tokens=50,
        ),
        "Lower",
    ),
    "prompt": ("trace", TraceRequest(prompt="The Tower " * 2_000, subject="Tower", occurrence=0), "at most 400"),
    "samples": ("trace", TraceRequest(prompt=f"The Tower {'is tall ' * 20}", subject="Tower", samples=100), "samples"),
    "file": ("conflict", ConflictRequest(file="/etc/hostname"), "reads no files"),
    "source": ("edit", EditRequest(facts=(FACT,), source="/etc/hostname"), "reads no files"),
    "hub": ("edit", EditRequest(facts=(FACT,), source="hf:owner/name"), "reads no files"),
}


@pytest.mark.parametrize("name", LONG)
def test_whatever_makes_a_request_long_is_refused(made, name):
    study, request, said = LONG[name]
    with pytest.raises(BadRequest) as refused:
        limits.refuse(made, STUDIES[study], request, SPEC)
    assert said in str(refused.value)


def test_a_refusal_says_the_estimate_the_bound_and_what_to_lower(made):
    with pytest.raises(BadRequest) as refused:
        limits.refuse(made, STUDIES["edit"], LONG["steps"][1], SPEC)
    assert "This run would take about" in str(refused.value)
    assert "this server takes runs of about" in str(refused.value)
    assert "Lower facts (20) or lower " in str(refused.value)


def test_what_people_usually_ask_is_taken(made):
    for study, request in (
        ("trace", TraceRequest(prompt="The Eiffel Tower is located in the city of", subject="The Eiffel Tower")),
        ("edit", EditRequest(facts=(FACT,))),
        ("evaluate", EvaluateRequest(cases=tuple(own_cases(read_facts())[:10]))),
        ("conflict", ConflictRequest()),
    ):
        limits.refuse(made, STUDIES[study], request, SPEC)


def test_every_study_of_ours_says_how_much_it_is():
    assert [name for name, entry in ENTRIES.items() if not entry.work] == []
    assert all(callable(entry.read("work")) for entry in ENTRIES.values())


def test_work_grows_with_what_makes_a_run_long():
    shape = Shape()

    def work(study: str, request: Any) -> float:
        return ENTRIES[study].read("work")(request, shape)

    short = TraceRequest(prompt="The Eiffel Tower is located in the city of", subject="The Eiffel Tower", samples=5)
    for field, value in (("samples", 10), ("kinds", ("state", "mlp")), ("prompt", short.prompt + " the land of")):
        assert work("trace", short.model_copy(update={field: value})) > 1.3 * work("trace", short)
    edit = EditRequest(facts=(FACT,), steps=20)
    for field, value in (("steps", 100), ("contexts", 20), ("facts", (FACT,) * 4), ("sadr", 1.0)):
        assert work("edit", edit.model_copy(update={field: value})) > 1.3 * work("edit", edit)


def test_a_text_costs_by_its_length_in_any_script():
    assert tokens_in("The Eiffel Tower is located in the city of") == pytest.approx(10, rel=0.3)
    assert tokens_in("東京は日本の首都です") > 8
    assert tokens_in("a" * 50_000) > 10_000


def test_what_runs_took_is_learnt():
    paces = Paces()
    paces.measured(SPEC, 1_000.0)
    assert paces.seconds("trace", 10_000, SPEC) == 10
    paces.learn("trace", 10_000, SPEC, 20.0)
    assert paces.seconds("trace", 10_000, SPEC) == pytest.approx(20)
    assert paces.seconds("edit", 10_000, SPEC) == 10
    paces.learn("trace", 10_000, SPEC, 1e9)
    assert paces.seconds("trace", 10_000, SPEC) <= 200


def test_the_shape_is_that_of_the_model_in_use(made):
    small = SimpleNamespace(layers=2)
    request = TraceRequest(prompt="The Tower is in", subject="Tower")
    usual = made.work(STUDIES["trace"], request, SPEC)
    made.models.cards[SPEC] = {"layers": small.layers, "heads": 2}
    assert made.work(STUDIES["trace"], request, SPEC) < usual / 5
