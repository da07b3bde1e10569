"""Own prompts: each side says what the model says alone, word by word, and the page shows both."""

from typing import Any

import pytest

from analysis.errors import Cancelled, PromptTooLong
from analysis.forward.generation import continued
from app.session.fields import slot
from editors.edit.apply import written_over
from editors.generation.result import Generated, GenerateRequest
from editors.generation.run import generate
from editors.methods.run import write
from tests.kit.edits import asked, parameters, unchanged
from tests.kit.families import LENGTH
from tests.kit.visiting import FACT, address, fine, offered, press, run, text, until, visit, wrote

PROMPTS = ("the old tower of Aldra stands in", "Brin wrote")


def last(lm: Any, prompt: str, seed: int | None) -> str:
    return "".join(list(continued(lm, prompt, 5, seed=seed))[-1:])


@pytest.mark.parametrize("seed", [None, 3])
def test_each_side_says_what_the_model_says_alone(family, seed):
    edit = write(family, asked("ft", steps=6), glance=False)
    before = parameters(family)
    partials: list[Generated] = []

    def report(done: int, total: int, note: str = "", partial: Any = None, share: float | None = None) -> None:
        assert done <= total == 2 * 2 * 5
        partials.append(partial)

    found = generate(family, GenerateRequest(prompt=PROMPTS, tokens=5, seed=seed), report, stack=[edit])
    assert found.before == [last(family, prompt, seed) for prompt in PROMPTS]
    with written_over(family, [edit]):
        assert found.after == [last(family, prompt, seed) for prompt in PROMPTS]
    assert unchanged(family, before)
    for part in partials:
        assert all(whole.startswith(begun) for whole, begun in zip(found.before, part.before, strict=False))
    assert generate(family, found.request).after == []


def test_what_cannot_be_read_is_refused_before_a_word_is_said(tiny):
    long = GenerateRequest(prompt=(PROMPTS[0], "tower " * (LENGTH + 1)))
    with pytest.raises(PromptTooLong):
        generate(tiny, long, lambda *_: pytest.fail("a word was said"))
    full = GenerateRequest(prompt=(" ".join(["tower"] * (LENGTH - 2)),), tokens=50, seed=1)
    assert len(generate(tiny, full).before[0].split()) <= 3


def test_cancelled_half_way_it_leaves_the_weights_as_they_were(tiny):
    edit, before = write(tiny, asked(), glance=False), parameters(tiny)

    def report(done: int, total: int, note: str = "", partial: Any = None, share: float | None = None) -> None:
        if partial.after:
            raise Cancelled

    with pytest.raises(Cancelled):
        generate(tiny, GenerateRequest(prompt=PROMPTS, tokens=5, seed=2), report, stack=[edit])
    assert unchanged(tiny, before)


def test_own_prompts_are_continued_before_and_after(ready, tiny):
    at = wrote(fine(visit("edit", **FACT)))
    fine(at.text_area(key="generate.prompt").set_value("\n".join(PROMPTS)).run())
    run(at, "generate-go", "generate")
    result = at.session_state["generate.job"].result
    assert result.request == GenerateRequest(prompt=PROMPTS, tokens=24)
    assert result.before == [("".join(list(continued(tiny, prompt, 24))[-1:])) for prompt in PROMPTS]
    assert len(result.after) == 2
    assert "After: with tower of Aldra: " in text(at)
    assert offered(at, "generate") == ["CSV", "JSON", "HTML", "Notebook"]
    assert {run.study for run in ready.history.recent("local")} == {"edit", "generate"}
    edit = at.session_state["written"].layers[0].edit
    fine(at.toggle(key=f"written-{edit.id}").set_value(False).run())
    run(at, "generate-go", "generate")
    assert at.session_state["generate.job"].result.after == []
    assert "No edit is on, so there is no after." in text(at)


def test_a_link_leads_to_own_prompts(ready):
    link = {"prompt": '["the tower, old", "Brin wrote"]', "tokens": "4", "seed": "7"}
    at = fine(visit("generate", **link))
    assert at.session_state[slot("generate", "prompt")] == "the tower, old\nBrin wrote"
    assert address(at) == link
    run(at, "generate-go", "generate")
    assert at.session_state["generate.job"].result.request == GenerateRequest(
        prompt=("the tower, old", "Brin wrote"), tokens=4, seed=7
    )
    again = fine(visit("generate", **link))
    assert "seed 7, the same on both sides" in text(again)


def test_nothing_to_go_on_from_is_told(ready, monkeypatch):
    at = fine(visit("generate"))
    fine(at.text_area(key="generate.prompt").set_value(" \n ").run())
    press(at, "generate-go")
    assert "Write at least one beginning." in text(at)
    assert "generate.job" not in at.session_state
    monkeypatch.setenv("PALIMPSEST_PUBLIC", "1")
    fine(at.text_area(key="generate.prompt").set_value("tower " * 80).run())
    press(at, "generate-go")
    assert "at most 400 characters" in text(at)


def test_stopped_it_shows_what_was_said(ready):
    at = fine(visit("generate"))
    press(at, "generate-go")
    job = at.session_state["generate.job"]
    until(lambda: job.over)
    job.partial, job.result, job.state = job.result, None, "stopped"
    fine(at.run())
    assert "Stopped. What was computed is shown." in text(at)
