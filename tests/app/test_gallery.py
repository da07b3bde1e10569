"""The gallery: every plate opens at once, with a real result of the embedded model beside the app."""

import pytest

from app.jobs.store import SHIPPED, ResultStore, shipped_index
from app.registry.studies import STUDIES
from app.shell.gallery import Example, examples
from app.studies.evaluate.gallery import EVALUATED
from app.studies.lifelong.gallery import IN_A_ROW

INDEX = shipped_index()


@pytest.mark.parametrize("example", examples(), ids=lambda example: example.id)
def test_a_plate_has_its_result_and_its_picture(example: Example) -> None:
    for name, request in ((example.study, example.request), *example.beside):
        found = ResultStore(SHIPPED, SHIPPED).load(STUDIES[name], request.key(INDEX["model"]["weights_hash"]))
        assert found.request == request
        assert found.model["weights_hash"] == INDEX["model"]["weights_hash"]
    plate = next(plate for plate in INDEX["gallery"] if plate["id"] == example.id)
    assert plate["key"] == example.request.key(INDEX["model"]["weights_hash"])
    assert all(0 <= value <= 1 for row in plate["thumb"] for value in row)


def test_many_cases_are_there_and_known() -> None:
    cases = {example.id: getattr(example.request, "cases", ()) for example in examples()}
    assert (len(cases["evaluate"]), len(cases["lifelong"])) == (EVALUATED, IN_A_ROW)
    assert len({case.relation for case in cases["evaluate"]}) > 20


def test_nothing_lies_beside_the_app_that_no_plate_opens() -> None:
    weights = INDEX["model"]["weights_hash"]
    opened = {one.key(weights) for example in examples() for one in (example.request, *dict(example.beside).values())}
    shipped = {folder.name for folder in SHIPPED.iterdir() if folder.is_dir()}
    assert len(shipped - opened) == 1  # which facts it knows
