"""The field that says what stands before an answer: on every form, in links and as a flag."""

import json

import pytest

from app.cli import main
from app.session.fields import loose
from editors import EditRequest, Rewrite
from tests.kit.visiting import FACT, LINK, address, fine, visit

FORMS = {
    "trace": ("trace", LINK),
    "lens": ("lens", {"prompt": LINK["prompt"]}),
    "neurons": ("neurons", {"prompt": LINK["prompt"]}),
    "conflict": ("heads", {"prompt": "the tower is old. the tower is", "subject": "tower", "context": "old"}),
    "edit": ("edit", FACT),
}


@pytest.mark.parametrize("page", FORMS)
def test_a_link_sets_it_and_the_address_keeps_it(ready, page):
    name, query = FORMS[page]
    at = fine(visit(page, **query, boundary="none"))
    assert at.session_state[f"{name}.boundary"] == "none"
    assert address(at)["boundary"] == "none"
    assert "boundary" not in address(fine(visit(page, **query)))


def test_a_request_filled_in_says_the_default_too():
    request = EditRequest(facts=(Rewrite(prompt="{} is", subject="a", target="b"),))
    assert loose(request)["boundary"] == "auto"


def test_the_command_has_it_as_a_flag(specs, tmp_path):
    place = tmp_path / "lens.json"
    assert main(["lens", "--prompt", "the old tower", "--boundary", "none", "--json", str(place)]) == 0
    assert json.loads(place.read_text())["request"]["boundary"] == "none"
