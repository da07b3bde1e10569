"""The table of crosstalk: its forms are the editors' own, one after the other, and its shares those of the model."""

import json

import numpy as np
import pytest
import torch

from analysis.facts.facts import another_object
from analysis.model.language_model import LanguageModel
from analysis.study import silent
from app.bench.editing import known
from app.bench.form import Bench
from app.bench.locality.crosstalk import FORMS, Keys, _area, _linear, _together, crosstalk
from editors.cases.case import case_of
from editors.methods.closed_forms import Inverse, alphaedit, freedom, memit, rls

WIDE, OUT, FACTS = 12, 5, 4


@pytest.fixture
def keys() -> Keys:
    made = torch.Generator().manual_seed(3)

    def drawn(*size: int) -> torch.Tensor:
        return torch.randn(size, generator=made, dtype=torch.float64)

    text = drawn(WIDE, 40)
    return Keys(
        drawn(WIDE, FACTS), drawn(OUT, FACTS), drawn(WIDE, 6), np.arange(6) % FACTS, drawn(WIDE, 8),
        np.arange(8) % FACTS, [], drawn(WIDE, 3), text @ text.T / 40, torch.eye(WIDE, dtype=torch.float64),
    )  # fmt: skip


def test_piled_is_memit_fact_by_fact(keys: Keys) -> None:
    inverse = Inverse(keys.text)
    each = [memit(inverse, keys.edited[:, [at]], keys.residuals[:, [at]], 0.3 * WIDE).matrix for at in range(FACTS)]
    whole = keys.residuals @ FORMS["MEMIT λ=.3, piled"](keys)
    torch.testing.assert_close(whole, sum(each))


def test_solved_is_rls_and_projected_alphaedit_one_fact_after_the_other(keys: Keys) -> None:
    whole = rls(Inverse(keys.text), keys.edited, keys.residuals, 0.3 * WIDE).matrix
    torch.testing.assert_close(keys.residuals @ FORMS["RLS λ=.3"](keys), whole, rtol=1e-4, atol=1e-6)
    free = freedom(keys.text, 0.8)
    ridge = 0.1 * float(free.project(keys.edited).square().sum(0).median())
    total, past = torch.zeros(OUT, WIDE, dtype=torch.float64), torch.zeros(WIDE, WIDE, dtype=torch.float64)
    for at in range(FACTS):
        key = keys.edited[:, [at]]
        missing = keys.residuals[:, [at]] - total @ key
        total = total + alphaedit(free, key, missing, [past], ridge).matrix
        past = past + key @ key.T
    torch.testing.assert_close(keys.residuals @ FORMS["AlphaEdit 80 %"](keys), total)


def test_what_is_listed_moves_less_and_residuals_of_one_way_add_up(keys: Keys) -> None:
    plain, listed = (_linear(keys, keys.residuals, FORMS[name](keys)) for name in ("RLS λ=.3", "RLS λ=.3, listed"))
    assert listed["listed"] < plain["listed"]
    same = keys.residuals[:, :1].expand(OUT, FACTS)
    assert _together(same, ["a", "a", "b", "b"]) == pytest.approx(
        {"cosine_within": 1, "cosine_across": 1, "first_direction": 1}
    )
    assert _area(np.array([3.0, 1.0, 2.0]), np.array([False, True, True])) == 1
    assert _area(np.array([3.0]), np.array([True])) is None


@pytest.mark.real
def test_table_of_the_embedded_model(smol: LanguageModel) -> None:
    bench = Bench({}, {})
    crosstalk(bench, smol, [case_of(fact, another_object(fact)) for fact in known(smol, 2, silent)])
    rows = {row["form"]: row for row in bench.tables["crosstalk"]}
    assert set(rows) == set(FORMS)
    assert rows["AlphaEdit 80 %, listed"]["found.listed"] < rows["AlphaEdit 80 %"]["found.listed"]
    assert rows["RLS λ=.003"]["found.miss"] < rows["RLS λ=.3"]["found.miss"]
    assert rows["RLS λ=.003"]["model.rewrite"] == 100
    json.dumps(bench.plain(), allow_nan=False)
