"""The fine-tuning baseline is torch's own loop over the whole model, within its bound."""

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from analysis.errors import BadRequest
from analysis.internals.key_value_memory import output_matrix
from editors.edit.apply import written_over
from editors.edit.request import EditRequest, Rewrite
from editors.methods.defaults import settled
from editors.methods.finetuning import finetune
from editors.methods.run import write
from editors.methods.search.token_rows import rows_of
from tests.kit.families import language_model

FACTS = (
    Rewrite(prompt="the old {} stands in a", subject="tower of Aldra", target="river city"),
    Rewrite(prompt="near {} a mother", subject="Brin Corvo", target="speaks"),
)


def asked(**changes: object) -> EditRequest:
    return EditRequest(facts=FACTS, method="ft", **{"layers": (1,), "steps": 6, "rate": 0.02, "norm": 0.05} | changes)


def test_it_is_the_whole_models_loop(family):
    request = settled(family, asked())
    rows = rows_of(family, request.facts, ())
    found = finetune(family, rows, 1, request)
    lm = language_model(family.name.removeprefix("tiny-"))
    matrix = output_matrix(lm, 1)
    weight, original = matrix.parameter.requires_grad_(True), matrix.parameter.detach().clone()
    optimiser = torch.optim.Adam([weight], lr=request.rate)
    for step in range(request.steps):
        loss = torch.zeros(())
        for row in (row for row in rows if row.bare):
            logits = lm.logits(torch.tensor([row.ids]))[0, row.first : row.first + len(row.targets)]
            loss = loss + cross_entropy(logits, torch.tensor(row.targets))
        if step == request.steps - 1:
            break
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        with torch.no_grad():
            weight.copy_(original + (weight - original).clamp(-request.norm, request.norm))
    exact = matrix.turned((weight - original).detach())
    assert float(exact.abs().max()) > 0.02
    assert torch.allclose(found.change, exact, atol=2e-4)


def test_no_weight_moves_further_than_its_bound_and_the_answer_comes_nearer(tiny):
    edit = write(tiny, asked(steps=20, norm=0.03))
    assert abs(edit.changes[0].right).max() <= 0.03 + 1e-6
    assert (edit.found.probability[-1] > 2 * edit.found.probability[0]).all()
    with written_over(tiny, [edit]):
        for row, reached in zip(
            (row for row in rows_of(tiny, FACTS, ()) if row.bare), edit.found.probability[-1], strict=True
        ):
            logs = tiny.logits(torch.tensor([row.ids]))[0].log_softmax(-1)
            own = torch.stack([logs[row.first + i, token] for i, token in enumerate(row.targets)]).mean().exp()
            assert abs(float(own) - reached) < 1e-4


def test_the_published_settings_stand_in_the_request(tiny):
    full = settled(tiny, EditRequest(facts=FACTS, method="ft"))
    assert (full.rate, full.norm, len(full.layers or ())) == (5e-4, 5e-4, 1)
    with pytest.raises(BadRequest, match="changes one layer"):
        settled(tiny, asked(layers=(0, 1)))


def test_what_could_help_an_answer_out_of_reach_is_named(tiny):
    (first, *_) = write(tiny, asked(steps=2, norm=1e-6), glance=False).warnings
    assert "a wider bound (norm) at a higher rate" in first
    assert "clamp" not in first


def test_a_relative_bound_is_the_bound_of_weights_of_that_size(family):
    size = float(output_matrix(family, 1).weight.detach().float().square().mean().sqrt())
    rows = rows_of(family, FACTS, ())
    few = {"facts": FACTS, "method": "ft", "layers": (1,), "steps": 4, "rate": 0.02}
    relative = settled(family, EditRequest(**few, norm_relative=0.05))
    assert relative.norm is None
    absolute = settled(family, asked(steps=4, norm=0.05 * size))
    one, other = (finetune(family, rows, 1, request).change for request in (relative, absolute))
    assert torch.equal(one, other)
    assert float(one.abs().max()) == pytest.approx(0.05 * size)


def test_two_bounds_are_one_too_many(tiny):
    with pytest.raises(BadRequest, match="Name one of them"):
        settled(tiny, asked(norm_relative=0.1))
    assert "norm_relative" not in settled(tiny, asked()).model_dump(mode="json")


def test_on_the_embedded_model_it_writes_with_a_relative_bound(smol):
    fact = Rewrite(prompt="{} is located in the city of", subject="The Eiffel Tower", target="Rome")
    likely = []
    for bound in ({}, {"norm_relative": 0.05}):
        found = write(smol, EditRequest(facts=(fact,), method="ft", **bound), glance=False, probe=False).found
        likely.append(found.probability[np.isfinite(found.probability[:, 0])][-1, 0])
    assert likely[0] < 0.1
    assert likely[1] > 0.8
