"""The form of the edit page: a fact, its new answer, a method, and everything else behind one button."""

from typing import Any

import streamlit as st
from pydantic import Field

from analysis import read_facts
from analysis.errors import BadRequest, SubjectNotFound
from analysis.facts import Fact, another_object
from analysis.study import Request
from analysis.tokens import find_text
from app.links import validated
from app.services import services
from app.session import seed, slot, spec, take_fill
from editors.request import EditRequest, KeyMode, MethodName, Rewrite

PAGE = "edit"
METHOD_WORDS: dict[str, str] = {
    "rome": "ROME",
    "memit": "MEMIT",
    "emmet": "EMMET",
    "alphaedit": "AlphaEdit",
    "pmet": "PMET",
    "ace": "ACE",
    "ifmet": "IFMET",
    "ft": "FT-L",
}
KEY_WORDS = {"r_rome": "r-ROME", "p_rome": "p-ROME", "rome": "ROME as published"}
SETTINGS = ("layers", "key_mode", "contexts", "steps", "rate", "clamp", "kl", "seed")


class EditForm(Request):
    """One fact as a person types it; what a link to the page says."""

    prompt: str = Field(
        "The Eiffel Tower is located in the city of", description="sentence that ends before its answer"
    )
    subject: str = Field("The Eiffel Tower", description="words of the sentence the fact is about")
    target: str = Field("Rome", description="the answer to write")
    method: MethodName = "rome"
    layers: tuple[int, ...] | None = None
    key_mode: KeyMode = "r_rome"
    contexts: int = Field(5, ge=0, le=50)
    steps: int | None = Field(None, ge=1, le=500)
    rate: float | None = Field(None, gt=0)
    clamp: float | None = Field(None, gt=0)
    kl: float = Field(0.0625, ge=0)
    seed: int = Field(1, ge=0, lt=2**32)

    def asked(self) -> EditRequest:
        """The request of the study; `SubjectNotFound` where the sentence does not hold the subject."""
        start, end = find_text(self.prompt, self.subject, occurrence=0)
        if "{}" in self.prompt or "{}" in self.subject:
            raise BadRequest("The sentence holds “{}”. Write the subject itself.")
        if not self.target.strip():
            raise BadRequest("The new answer is empty. Write the word that shall stand there.")
        fact = validated(
            Rewrite,
            {
                "prompt": f"{self.prompt[:start]}{{}}{self.prompt[end:]}",
                "subject": self.prompt[start:end],
                "target": self.target,
            },
        )
        return validated(
            EditRequest, {"facts": (fact,), "method": self.method, **{name: getattr(self, name) for name in SETTINGS}}
        )


def form_of(request: EditRequest) -> EditForm:
    """The form that asks for a request's first fact."""
    fact = request.facts[0]
    values = {name: getattr(request, name) for name in ("method", *SETTINGS)}
    return EditForm(prompt=fact.text, subject=fact.subject, target=fact.target, **values)


def prepare() -> None:
    """Fill the form's fields before any of them is drawn."""
    if (wish := take_fill(PAGE)) is not None:
        for name, value in _loose(form_of(validated(EditRequest, wish))).items():
            st.session_state[slot(PAGE, name)] = value
    seed(PAGE, _loose(EditForm()), EditForm)
    if not isinstance(layers := st.session_state[slot(PAGE, "layers")], str):
        st.session_state[slot(PAGE, "layers")] = ", ".join(map(str, layers or ()))
    if picked := st.session_state.pop(f"{PAGE}.picked", None):
        fact: Fact = next(fact for fact in read_facts() if fact.id == picked)
        st.session_state[slot(PAGE, "prompt")], st.session_state[slot(PAGE, "subject")] = fact.text, fact.subject
        st.session_state[slot(PAGE, "target")] = another_object(fact)


def _loose(form: EditForm) -> dict[str, Any]:
    values = form.model_dump()
    values["layers"] = ", ".join(map(str, form.layers)) if form.layers else ""
    return values


def form() -> EditForm:
    """The fields as they stand; raises `BadRequest` naming the field."""
    values = {name: st.session_state[slot(PAGE, name)] for name in EditForm.model_fields}
    text = str(values["layers"] or "")
    parts = [part.strip() for part in text.replace("–", "-").split(",") if part.strip()]
    values["layers"] = tuple(layer for part in parts for layer in _range(part)) or None
    return validated(EditForm, values)


def _range(part: str) -> list[int]:
    """One layer, or a span of them: 6, 4-8."""
    ends = part.split("-")
    if len(ends) > 2 or not all(end.strip().isdigit() for end in ends):
        raise BadRequest(f"Layers: “{part}” is neither a layer nor a span of layers such as 4-8.")
    low, high = int(ends[0]), int(ends[-1])
    if high - low > 200:
        raise BadRequest(f"Layers: “{part}” is a long way. Name those to write to.")
    return list(range(low, high + 1))


def draw() -> bool:
    """Draw the form; True when Write was pressed."""
    with st.container(border=True, key="edit-form"):
        prompt, subject, target, button = st.columns([3.9, 2.3, 2.0, 2.5], vertical_alignment="bottom")
        prompt.text_input("Fact", key=slot(PAGE, "prompt"), placeholder="A sentence that ends just before its answer")
        subject.text_input("Subject", key=slot(PAGE, "subject"))
        target.text_input("New answer", key=slot(PAGE, "target"), placeholder="the word to write")
        pressed = button.button(
            "Write", type="primary", icon=":material/edit_note:", width="stretch", shortcut="Mod+Enter", key="edit-go"
        )
        with st.container(horizontal=True, vertical_alignment="bottom"):
            st.segmented_control(
                "Method",
                list(METHOD_WORDS),
                format_func=METHOD_WORDS.__getitem__,
                key=slot(PAGE, "method"),
                required=True,
                wrap=True,
            )
            with st.popover("Pick a stored fact", icon=":material/list:"):
                _pick()
            with st.popover("More settings", icon=":material/tune:"):
                _more()
    return pressed


def _pick() -> None:
    facts = {fact.id: fact for fact in read_facts()}
    st.selectbox(
        "One of the stored facts",
        list(facts),
        index=None,
        format_func=lambda name: f"{facts[name].text} … {facts[name].object}",
        key=f"{PAGE}-pick",
        placeholder="Type to search",
        on_change=_take_pick,
    )


def _take_pick() -> None:
    st.session_state[f"{PAGE}.picked"] = st.session_state[f"{PAGE}-pick"]


def _more() -> None:
    card = services().card(spec())
    deepest = f"0 to {card['layers'] - 1}" if card else "all"
    st.text_input(
        "Layers to write to", key=slot(PAGE, "layers"), placeholder="the method’s own", help=f"{deepest}; 4-8"
    )
    st.segmented_control(
        "Key of ROME", list(KEY_WORDS), format_func=KEY_WORDS.__getitem__, key=slot(PAGE, "key_mode"), required=True
    )
    st.number_input("Texts put before the prompt", 0, 50, key=slot(PAGE, "contexts"))
    st.number_input("Steps of the search", 1, 500, key=slot(PAGE, "steps"), placeholder="25")
    st.number_input("Rate of the search", 0.0, format="%.3f", key=slot(PAGE, "rate"), placeholder="0.5")
    st.number_input("Longest change, in lengths of the old value", 0.0, key=slot(PAGE, "clamp"), placeholder="method’s")
    st.number_input("Weight of keeping the rest (KL)", 0.0, format="%.4f", key=slot(PAGE, "kl"))
    st.number_input("Seed", 0, 2**32 - 1, key=slot(PAGE, "seed"))


def suggestion(error: Exception) -> None:
    """The fix as a button, where there is one."""
    if isinstance(error, SubjectNotFound) and error.suggestion:
        st.button("Use it", key="edit-use", on_click=_use, args=(error.suggestion,))


def _use(subject: str) -> None:
    st.session_state[slot(PAGE, "subject")] = subject
