"""Devices: no study mixes two of them, and a search asks its device for numbers once a step, however much it does."""

from collections import Counter
from typing import Any

import numpy as np
import pytest
import torch

import analysis.free_memory
import analysis.tracing.run
import editors.methods.factored_moments
from analysis.knowledge_conflict.run import heads_on_prompt
from analysis.lens.result import LensRequest
from analysis.lens.run import logit_lens
from analysis.model.language_model import LanguageModel
from analysis.neuron_attribution.result import NeuronsRequest
from analysis.neuron_attribution.run import neurons
from analysis.tracing.run import trace
from editors.attention_drift.result import DriftRequest
from editors.attention_drift.run import drift
from editors.edit.request import EditRequest
from editors.methods.defaults import settled
from editors.methods.finetuning import finetune
from editors.methods.run import write
from editors.methods.search.target_search import search
from editors.methods.search.token_rows import contexts, rows_of
from tests.kit.conflicts import REQUESTS, readable
from tests.kit.edits import CITY, LAST, TOWER
from tests.kit.edits import asked as edit_asked
from tests.kit.families import language_model
from tests.kit.on_paper import FIRST, SECOND, OnPaper, placed, spread
from tests.kit.traces import PROMPT, SUBJECT, far
from tests.kit.traces import asked as trace_asked


@pytest.fixture(autouse=True)
def room(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is free on a device on paper nobody can say."""
    for module in (analysis.free_memory, analysis.tracing.run, editors.methods.factored_moments):
        monkeypatch.setattr(module, "free_bytes", lambda _: 1 << 40)


def run(lm: LanguageModel, study: str) -> Any:
    if study == "trace":
        result = trace(lm, trace_asked(severing_noise="published"))
        return [result.grids[kind].probability for kind in result.grids] + list(result.previews.values())
    if study == "lens":
        return [logit_lens(lm, LensRequest(prompt=PROMPT)).lens.answer_probability]
    if study == "neurons":
        found = neurons(lm, NeuronsRequest(prompt=PROMPT, top=3, counts=(2,), draws=1, second_opinion=True))
        return [found.mlp, found.query_share, found.integrated]
    if study == "heads":
        with readable(lm):
            return [heads_on_prompt(lm, REQUESTS["heads"]).grid_probability]
    if study == "drift":
        edit = write(lm, edit_asked(contexts=0), glance=False, probe=False)
        return [drift(lm, DriftRequest(prompt=PROMPT, subject=SUBJECT), stack=[edit]).after]
    if study == "layers":  # those ACE chooses
        few = {"contexts": 0, "tokens": 600, "steps": 3, "aim": "mlp"}
        edit = write(lm, EditRequest(facts=(TOWER,), method="ace", **few), glance=False)
    else:
        facts = (TOWER,) if study == "rome" else (TOWER, CITY)
        edit = write(lm, edit_asked(study, *facts, sadr=0.1, steps=4), glance=False)
    return [change.left @ change.right for change in edit.changes]


STUDIES = (
    "trace", "lens", "neurons", "heads", "drift", "layers", "rome", "memit", "emmet", "alphaedit", "pmet", "ft",
)  # fmt: skip


@pytest.mark.parametrize(("study", "devices"), [*((one, 2) for one in STUDIES), ("heads", 1), ("neurons", 1)])
def test_a_study_keeps_every_device_to_itself(study: str, devices: int) -> None:
    """And gives the numbers it gives where there is one device only: nothing was left behind on the way."""
    lm = language_model("llama")
    plain = run(lm, study)
    with spread(lm, devices):
        apart = run(lm, study)
    assert all(far(one, other) < 1e-4 for one, other in zip(plain, apart, strict=True))


@pytest.mark.parametrize("family_name", ["gpt2", "neox", "gemma2", "opt"])
def test_other_families_keep_devices_apart(family_name: str) -> None:
    lm = language_model(family_name)
    with spread(lm):
        run(lm, "pmet")


def waits(lm: LanguageModel, steps: int, facts: tuple, contexts_: int, sites: tuple, **changes: Any) -> Counter[str]:
    request = settled(lm, edit_asked(steps=steps, enough=1e-9, contexts=contexts_, **changes))
    rows = rows_of(lm, facts, contexts(lm, request))
    with spread(lm) as books:
        search(lm, rows, 1, sites, request)
    return books.waits


@pytest.mark.parametrize("sites", [("value",), ("hidden",), ("attn", "value")])
@pytest.mark.parametrize(("facts", "number"), [((LAST,), 0), ((LAST, TOWER, CITY), 4)])
def test_a_step_of_a_search_waits_once(sites: tuple, facts: tuple, number: int) -> None:
    lm = language_model("llama")
    changes = {"sadr": 0.1, "sadr_steps": 0, "said_weight": 0.1}
    few, many = (waits(lm, steps, facts, number, sites, **changes) for steps in (3, 8))
    assert many - few == Counter(cpu=5)


def test_a_step_of_fine_tuning_waits_once() -> None:
    lm = language_model("llama")
    books: list[Counter[str]] = []
    for steps in (3, 8):
        request = settled(lm, edit_asked("ft", LAST, TOWER, CITY, steps=steps, enough=1e-9))
        rows = rows_of(lm, request.facts, ())
        with spread(lm) as counted:
            finetune(lm, rows, 1, request)
        books.append(counted.waits)
    assert books[1] - books[0] == Counter(cpu=5)


def test_the_books_refuse_what_devices_refuse() -> None:
    with OnPaper() as books:
        one, other = placed(torch.ones(3), FIRST), placed(torch.ones(3), SECOND)
        for mixed in (lambda: one + other, lambda: one + torch.ones(3), lambda: torch.cat((one, other))):
            with pytest.raises(RuntimeError, match="on one device"):
                mixed()
        with pytest.raises(TypeError, match="numpy"):
            one.numpy()
        assert (one + 1).device == FIRST
        assert (one.to(SECOND) + other).device == SECOND
        assert one[torch.tensor([0, 1])].device == FIRST
        assert torch.arange(3, device=one.device).device == FIRST
        assert float(one.sum()) == 3
    assert books.waits == {"__float__": 1}
    assert np.array_equal(torch.ones(2).numpy(), [1, 1])
