"""Results and links of before the rooms were drawn still open: one of every study, stored by the code of then.

Of a study that came later, by the code it came with.
"""

import json
from pathlib import Path

import numpy as np
import pytest

from analysis.study import pack
from app.exports.heading import key_of, study_of
from app.jobs.store import ResultStore
from app.registry.studies import STUDIES
from app.session.permalinks import link
from tests.kit import every_result

PLACE = Path(__file__).with_name("stored_before")
KEYS = {json.loads((one / "result.json").read_text(encoding="utf-8"))["study"]: one.name for one in PLACE.iterdir()}


def test_there_is_one_of_every_study_with_a_page():
    assert KEYS.keys() == every_result.ASKED.keys()


@pytest.mark.parametrize("study", KEYS)
def test_what_was_stored_before_opens_as_it_was(study):
    result = ResultStore(PLACE, PLACE).load(STUDIES[study], KEYS[study])
    assert study_of(result) == study
    assert (result.id if study == "edit" else key_of(result)) == KEYS[study]
    data, arrays = pack(result)
    stored = json.loads((PLACE / KEYS[study] / "result.json").read_text(encoding="utf-8"))["result"]
    assert json.loads(json.dumps(data)) == stored
    (packed,) = (PLACE / KEYS[study]).glob("arrays*.npz")
    with np.load(packed) as were:
        assert set(were.files) == set(arrays)
        assert all(np.array_equal(were[name], arrays[name], equal_nan=were[name].dtype.kind == "f") for name in arrays)
    assert link(study, result.request)
