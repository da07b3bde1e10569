"""A person's own prompts: the form, and how the model goes on from them before and after the edits that are on."""

import streamlit as st

from analysis.errors import BadRequest
from analysis.text.boundary import ended, goes_on
from app.components import verse
from app.registry.studies import STUDIES
from app.session import chat_form, page, run_flow, thoughts
from app.session.export_row import take_away
from app.session.fields import field, loose, seed, slot, take_fill
from app.session.permalinks import validated
from app.session.run_flow import escape
from editors.generation.result import Generated, GenerateRequest

PAGE, STUDY = "generate", STUDIES["generate"]
EXAMPLE = GenerateRequest(prompt=("The Eiffel Tower is", "To see the Eiffel Tower, take a train to"), tokens=24)
CHOICES = {"likeliest": "the likeliest word", "drawn": "a word drawn by chance"}


def prepare(example: GenerateRequest = EXAMPLE, *, linked: bool = True) -> None:
    """Fill the form's fields: from the address where `linked`, from the session, or from `example`."""
    state = st.session_state
    for name, value in (take_fill(PAGE) or {}).items():
        state[slot(PAGE, name)] = value
    if linked:
        seed(PAGE, loose(example), GenerateRequest)
    for name, value in loose(example).items():
        state.setdefault(slot(PAGE, name), value)
    if not isinstance(prompts := state[slot(PAGE, "prompt")], str):
        state[slot(PAGE, "prompt")] = "\n".join(prompts)
        state[slot(PAGE, "how")] = "likeliest" if state[slot(PAGE, "seed")] is None else "drawn"
    state.setdefault(slot(PAGE, "how"), "likeliest")


def draw() -> bool:
    """Draw the form; True when Go on was pressed."""
    with st.container(border=True, key="generate-form"):
        st.text_area("Beginnings, one a line", **field(PAGE, "prompt"), height=100)
        with st.container(horizontal=True, vertical_alignment="bottom"):
            st.segmented_control(
                "Each time",
                list(CHOICES),
                format_func=CHOICES.__getitem__,
                **field(PAGE, "how"),
                required=True,
                wrap=True,
            )
            if st.session_state[slot(PAGE, "how")] == "drawn":
                st.session_state[slot(PAGE, "seed")] = st.session_state[slot(PAGE, "seed")] or 0
                st.number_input("Seed", 0, 2**32 - 1, **field(PAGE, "seed"), width=130)
            chat_form.draw(PAGE)
            st.number_input("Longest, in tokens", 1, 200, **field(PAGE, "tokens"), width=150)
            return run_flow.go(
                st, PAGE, STUDIES["generate"], "Go on", type="primary", icon=":material/notes:", key="generate-go"
            )


def request() -> GenerateRequest:
    """The form as a request; raises `BadRequest` naming the field."""
    state = st.session_state
    lines = [ended(line.lstrip()) for line in (state[slot(PAGE, "prompt")] or "").splitlines()]
    drawn = state[slot(PAGE, "how")] == "drawn"
    if not any(lines):
        raise BadRequest("There is nothing to go on from. Write at least one beginning.")
    return validated(
        GenerateRequest,
        {
            "prompt": tuple(line for line in lines if line),
            "tokens": state[slot(PAGE, "tokens")],
            "seed": state[slot(PAGE, "seed")] if drawn else None,
            "chat": chat_form.value(PAGE),
        },
    )


def asked(pressed: bool, *, linked: bool = True) -> GenerateRequest | None:
    """The request, begun where the button was pressed; None with its fault told where there is one.

    `linked`: whether the address of the page says it.
    """
    return page.asked(PAGE, STUDY, request, pressed, linked=linked)


def outcome(wanted: GenerateRequest | None) -> None:
    """Progress, and both sides as far as they have come."""
    result = run_flow.follow(PAGE, STUDY, wanted, None)
    if isinstance(result, Generated):
        show(result)
        # of one that goes on, or was stopped, there would be many
        if (job := run_flow.job_of(PAGE)) is None or job.state == "done":
            take_away(result)


def show(result: Generated) -> None:
    """Each prompt with how it goes on, before on the left and after on the right."""
    edited = bool(result.edits)
    for number, prompt in enumerate(result.request.prompt[: len(result.before)]):
        left, right = st.columns(2, gap="large")
        with left:
            st.markdown(":blue[**Before**]")
            verse(prompt, was=_line(prompt, result.before, number), size="text", key=f"generate-before-{number}")
        if edited:
            with right:
                st.markdown(":orange[**After**]")
                verse(prompt, now=_line(prompt, result.after, number), size="text", key=f"generate-after-{number}")
    if edited:
        titles = "; ".join(escape(title) for title in result.edits)
        st.markdown(f":gray[:small[After: with {titles}. {_how(result.request)}]]")
    else:
        st.markdown(f":gray[:small[No edit is on, so there is no after. {_how(result.request)}]]")


def _line(prompt: str, texts: list[str], number: int) -> str:
    """A continuation on one line, its thoughts folded away; an ellipsis where it has not begun or is empty."""
    text = thoughts.draw(texts[number]) if number < len(texts) else ""
    return goes_on(prompt, text) if text.strip() else "…"


def _how(wanted: GenerateRequest) -> str:
    said = [chat_form.words(wanted.chat)] if wanted.chat else []
    if wanted.seed is None:
        return " ".join(["Each word is the likeliest.", *said])
    return " ".join([f"Each word is drawn by chance, seed {wanted.seed}, the same on both sides.", *said])
