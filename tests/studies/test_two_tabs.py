"""One person in two tabs: both show the same edits, nothing that one did is lost, and each says what the other did."""

import errno
import json

from streamlit.testing.v1 import AppTest

from analysis.cache_home import cache_home
from app.jobs import disk as disk_module
from app.session import edit_stack
from app.session.stack_news import joined, news
from editors.edit.stack import EditStack
from tests.kit.faults import disk_fails
from tests.kit.recipes import made
from tests.kit.visiting import FACT, fine, press, text, visit, wrote

OTHER = FACT | {"target": "city"}


def ids(at: AppTest) -> list[tuple[str, bool]]:
    return [(layer.edit.request.facts[0].target, layer.on) for layer in at.session_state["written"].layers]


def on_disk() -> int:
    return len(json.loads((cache_home() / edit_stack.PLACE).read_text(encoding="utf-8")))


def test_what_each_tab_writes_stands_in_both(ready):
    here, there = fine(visit("edit", **FACT)), fine(visit("edit", **OTHER))
    wrote(here)
    wrote(there)
    assert ids(there) == [("river", True), ("city", True)]
    assert "Another tab" not in text(there)  # what it did itself since is on top
    assert ids(fine(here.run())) == ids(there)
    assert "Another tab wrote “" in text(here)
    assert on_disk() == 2


def test_a_change_of_a_tab_that_knows_less_loses_nothing(ready):
    here, there = wrote(fine(visit("edit", **FACT))), fine(visit("start"))
    wrote(fine(there.switch_page("../pages/edit.py").run()))
    press(here, "written-off")
    assert [on for _, on in ids(here)] == [False, False]
    assert "switched off" in text(fine(there.run()))
    assert on_disk() == 2


def test_undo_takes_back_what_another_tab_did_and_redo_brings_it_again(ready):
    here, there = wrote(fine(visit("edit", **FACT))), fine(visit("start"))
    (layer,) = there.session_state["written"].layers
    press(there, f"written-{layer.edit.id}-remove")
    assert ids(fine(here.run())) == []
    assert "Another tab took off “" in text(here)
    press(here, "written-undo")
    assert ids(here) == [("river", True)] == ids(fine(there.run()))
    press(here, "written-redo")
    assert ids(here) == [] == ids(fine(there.run()))


def test_what_could_not_be_put_down_joins_what_another_tab_wrote(ready, monkeypatch):
    monkeypatch.setattr(disk_module, "EVERY", 0.0)
    here, there = fine(visit("edit", **FACT)), fine(visit("edit", **OTHER))
    with disk_fails(cache_home(), errno.ENOSPC, reading=False):
        wrote(here)
    wrote(there)
    assert sorted(ids(fine(here.run()))) == [("city", True), ("river", True)]
    ready.begin()
    fine(here.run())
    assert sorted(ids(fine(there.run()))) == [("city", True), ("river", True)]


def test_a_file_that_was_cut_short_takes_nothing_from_a_tab(ready):
    here = wrote(fine(visit("edit", **FACT)))
    for damage in (b"", b"[", b'[{"edit": "nothing", "on": true}]', b"[]x"):
        (cache_home() / edit_stack.PLACE).write_bytes(damage)
        assert ids(fine(here.run())) == [("river", True)]


def test_the_sentence_says_all_that_was_done():
    one, two = made(), made(method="memit")
    both = EditStack().add(one).add(two)
    assert news(both, both) == ""
    assert news(both, both.switch(one.id, False)) == f"Another tab switched off “{one.title}”. Undo takes it back."
    assert "changed their order" in news(both, both.move(one.id, 1))
    assert "measured anew" in news(both, both.renew(one.as_brought()))
    assert joined(EditStack().add(one), both) == both
