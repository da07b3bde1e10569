"""Pages of a public server: limits, own models only, every visitor a rail and edits of their own."""

from types import SimpleNamespace

from app.session.visitor import visitor
from tests.kit.traces import PROMPT
from tests.kit.visiting import FACT, LINK, fine, press, run, text, visit, wrote


def test_a_public_server_offers_its_own_models_only(ready, monkeypatch):
    monkeypatch.setenv("PALIMPSEST_PUBLIC", "1")
    monkeypatch.setenv("PALIMPSEST_ALLOW", "gpt2, owner/other")
    at = fine(visit("models"))
    assert at.selectbox(key="model-allowed").options == ["embedded", "gpt2", "owner/other"]
    assert not at.text_input


def test_a_public_server_keeps_its_limits_and_says_what_to_lower(ready, monkeypatch):
    monkeypatch.setenv("PALIMPSEST_PUBLIC", "1")
    monkeypatch.setattr("app.session.limits.WORK", 3_000)
    at = fine(visit("trace", **LINK | {"samples": "100"}))
    press(at, "trace-go")
    assert "This run would take about" in text(at)
    assert "ower samples (100)" in text(at)
    assert text(at).count("This run would take") == 1
    assert "trace.job" not in at.session_state
    at = fine(visit("trace", **LINK))
    assert "This run takes about" in text(at)


def test_at_home_a_long_run_is_told_of_and_not_refused(ready, monkeypatch):
    monkeypatch.setattr("app.session.limits.WORK", 1)
    assert "This run takes about" in text(fine(visit("trace", **LINK)))
    assert run(fine(visit("trace", **LINK))).session_state["trace.job"].state == "done"


def test_each_visitor_of_a_public_server_has_a_rail(ready, monkeypatch):
    monkeypatch.setenv("PALIMPSEST_PUBLIC", "1")
    one, other = run(fine(visit("trace", **LINK))), fine(visit("trace"))
    assert "Earlier runs" in text(fine(one.run()))
    assert "Earlier runs" not in text(other)


def test_a_visitor_of_a_public_server_finds_their_edits_again(ready, monkeypatch):
    monkeypatch.setenv("PALIMPSEST_PUBLIC", "1")
    monkeypatch.setattr("app.session.edit_stack.visitor", lambda fresh: "a" * 32)
    wrote(fine(visit("edit", **FACT)))
    assert "1 of 1 on" in text(fine(visit("edit")))
    monkeypatch.setattr("app.session.edit_stack.visitor", lambda fresh: "b" * 32)
    assert "the model is as it was trained" in text(fine(visit("edit")))


def test_a_name_that_is_none_is_not_taken(monkeypatch):
    for said, name in (("0123456789abcdef" * 2, "0123456789abcdef" * 2), ("../../x", "new"), ("", "new")):
        monkeypatch.setattr("app.session.visitor.st.context", SimpleNamespace(cookies={"palimpsest_visitor": said}))
        assert visitor("new") == name


def test_a_public_server_writes_too_and_keeps_its_limits(ready, monkeypatch):
    monkeypatch.setenv("PALIMPSEST_PUBLIC", "1")
    at = wrote(fine(visit("edit", **FACT)))
    assert "1 of 1 on" in text(at)
    for more, said in (
        ({"prompt": PROMPT + " a" * 300}, "at most 400 characters"),
        ({"target": "a" * 500}, "at most 400 characters"),
        ({"source": "/etc/hostname"}, "reads no files of its own"),
        ({"tokens": "50000000"}, "Lower tokens (50,000,000)"),
    ):
        asked = fine(visit("edit", **FACT | more))
        press(asked, "edit-go")
        assert said in text(asked), more
        assert "edit.job" not in asked.session_state
