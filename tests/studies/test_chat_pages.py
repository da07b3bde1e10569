"""“As a chat” on the pages, in process: a link opens it, the switch asks it, words are chosen among one's own."""

import json
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from analysis import TraceRequest
from analysis.text.framing import Chat, Prompted
from app.charts.palette import written
from app.charts.words import axis_labels
from app.exports.notebook import notebook
from app.registry.studies import STUDIES
from app.session.chat_form import NO_TEMPLATE, words
from app.session.fields import slot
from app.session.permalinks import read, to_query
from app.studies.trace.form import _named
from editors.generation.result import Generated, GenerateRequest
from tests.kit.chats import CHATML
from tests.kit.traces import PROMPT, SUBJECT, asked
from tests.kit.visiting import FACT, LINK, address, charts, fine, press, run, text, visit

SYSTEM = Chat(system="the tower of Aldra", prefix="the city")
PAGES = {
    "trace": "trace",
    "average": "average",
    "lens": "lens",
    "neurons": "neurons",
    "edit": "edit",
    "generate": "generate",
    "conflict": "heads",
    "evaluate": "evaluate",
    "models": "facts",
}
"""Pages with a form of prompts, and under which name its fields lie."""


@pytest.fixture
def talking(tiny, monkeypatch, ready) -> Any:
    """The tiny model with a chat template."""
    monkeypatch.setattr(tiny.tokenizer, "chat_template", CHATML)
    return ready


def switch(at: AppTest, page: str) -> Any:
    return at.toggle(key=slot(page, "chat_on"))


@pytest.mark.parametrize(("page", "name"), PAGES.items())
def test_every_form_offers_a_chat(talking, page, name):
    at = fine(visit(page))
    assert not switch(at, name).value
    assert not switch(at, name).disabled
    fine(switch(at, name).set_value(True).run())
    assert at.session_state[slot(name, "chat")] == Chat().model_dump()
    at.text_area(key=slot(name, "chat_system")).set_value("plays near").run()
    fine(at.text_input(key=slot(name, "chat_prefix")).set_value("the").run())
    assert at.session_state[slot(name, "chat")] == Chat(system="plays near", prefix="the").model_dump()
    fine(switch(at, name).set_value(False).run())
    assert at.session_state[slot(name, "chat")] is None


def test_a_model_without_a_template_says_why_not(ready):
    at = fine(visit("trace", **LINK))
    assert switch(at, "trace").disabled
    assert switch(at, "trace").help == NO_TEMPLATE
    at = fine(visit("trace", **LINK, chat="{}"))
    assert not switch(at, "trace").disabled
    assert "tiny-llama has no chat template" not in text(at)
    assert "has no chat template. Switch chat off" in text(at)
    assert "has no chat template" in text(press(at, "trace-go"))
    assert "trace.job" not in at.session_state


def test_a_link_opens_in_its_conversation_and_the_trace_is_asked_there(talking, tiny):
    wanted = asked(kinds=("state", "mlp"), chat=SYSTEM)
    query = to_query(wanted)
    assert json.loads(query["chat"]) == {"system": SYSTEM.system, "prefix": SYSTEM.prefix}
    assert read(TraceRequest, query).request == wanted
    at = fine(visit("trace", **query))
    assert switch(at, "trace").value
    assert at.text_area(key="trace.chat_system").value == SYSTEM.system
    assert address(at) == query
    result = run(at).session_state["trace.job"].result
    assert result.request == wanted
    with tiny.framed(wanted):
        assert result.tokens == list(tiny.encode(PROMPT).labels)
    assert " ".join(result.tokens[slice(*result.subject)]) == SUBJECT
    ticks = json.loads(charts(at)[0].spec)["layout"]["yaxis"]["ticktext"]
    assert [tick.split("</i>")[0] for tick in ticks if "<i>" in tick] == ["<i>system", "<i>you", "<i>answer"]
    assert sum("★" in tick for tick in ticks) == 3
    fine(switch(at, "trace").set_value(False).run())
    assert "chat" not in address(at)


def test_a_run_in_a_chat_opens_again_from_the_rail(talking):
    wanted = asked(kinds=("state", "mlp"), chat=SYSTEM)
    run(fine(visit("trace", **to_query(wanted))))
    (entry,) = talking.history.recent("local")
    assert talking.store.load(STUDIES["trace"], entry.key).request == wanted


def test_a_link_that_is_no_conversation_is_told_of(talking):
    at = fine(visit("trace", **LINK, chat='{"sytem": "x"}'))
    assert "The link could not be read in full. Left out: chat.sytem" in text(at)


def test_a_word_is_chosen_in_ones_own_words(tiny, talking):
    prompt = "the tower near the tower stands in"
    with tiny.framed(Prompted(chat=Chat(system="the tower", prefix="the tower"))):
        tokens = tiny.encode(prompt)
    first, second = (at for at, label in enumerate(tokens.labels) if label == "tower" and tokens.roles[at] == "you")
    assert _named(tokens, (first, first + 1)) == ("tower", 0)
    assert _named(tokens, (second, second + 1)) == ("tower", 1)


def test_an_edit_is_written_and_traced_in_its_conversation(talking):
    at = fine(visit("edit", **FACT, chat='{"system": "plays near"}'))
    made = run(at, "edit-go", "edit").session_state["edit.job"].result
    assert made.request.chat == Chat(system="plays near")
    fine(at.run())
    press(at, "edit-retrace")
    assert at.session_state["retrace-after.job"].request.chat == made.request.chat


def test_thoughts_are_folded_away(talking, tiny, monkeypatch):
    request = GenerateRequest(prompt=("the tower",), chat=Chat())
    said = Generated(request, tiny.card(), [], ["<think>\nmother wrote\n</think>\nthe river"], [], {})
    monkeypatch.setattr("app.session.run_flow.result_for", lambda *_: said)
    at = fine(visit("generate"))
    assert [one.label for one in at.expander] == [":gray[Thinking]"]
    assert "mother wrote" in at.expander[0].markdown[0].value


def test_a_notebook_says_the_conversation(tiny):
    request = asked(chat=Chat(system='say "a"', thinking=False))
    code = notebook("trace", request)
    scope: dict[str, Any] = {}
    exec(code.partition("lm =")[0] + "request =" + code.partition("request =")[2].partition("result =")[0], scope)  # noqa: S102
    assert scope["request"] == request


def test_whose_words_stand_where_on_an_axis():
    palette = written("light")
    labels = axis_labels(
        ["[u]", "old", "tower", "[m]", "the"], ["template", "you", "you", "template", "model"], palette
    )
    quiet = f'<span style="color:{palette.quiet}">'
    assert labels == [f"{quiet}[u]</span>", "<i>you</i> · old", "tower", f"{quiet}[m]</span>", "<i>answer</i> · the"]
    assert axis_labels(["old", "tower"], [], palette, stars=(1,)) == ["old", "★ tower"]


def test_a_caption_says_the_conversation():
    assert words(None) == ""
    assert words(Chat()) == "Asked in a chat."
    assert "told before: “Be brief.”" in words(Chat(system="Be brief.", thinking=False))
