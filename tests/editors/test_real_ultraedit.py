"""UltraEdit on the embedded model."""

import pytest

from analysis import LanguageModel, read_facts
from analysis.facts.facts import another_object, in_turn
from editors.edit.request import EditRequest, Rewrite
from editors.methods.run import write

pytestmark = pytest.mark.real


def test_a_batch_is_said_after_one_way_back(smol: LanguageModel) -> None:
    facts = tuple(Rewrite.of(fact, another_object(fact)) for fact in in_turn(read_facts())[:12])
    edit = write(smol, EditRequest(facts=facts, method="ultraedit", warm_up=40), glance=False)
    own = [number for number, probe in enumerate(edit.probes) if probe.kind == "rewrite"]
    assert sum(edit.after.new[number] > edit.after.old[number] for number in own) >= 11
    assert edit.found.probability[0].mean() < 0.3 < edit.found.probability[1].mean()
