"""What would each state say? The logit lens over all layers and tokens of a prompt."""

import streamlit as st

from analysis import LensRequest, LensResult
from app.charts.palette import live
from app.components import theme_seen
from app.registry.studies import STUDIES
from app.session import chat_form, page, run_flow
from app.session.boundary_field import boundary_field
from app.session.export_row import take_away
from app.session.fields import adopt, field, seed, slot
from app.session.permalinks import validated
from app.session.prompt_field import prompt_field
from app.studies.lens import captions
from app.studies.lens.figure import BESIDE, COLUMN, WORDS_FIT, lens_alt, lens_map

PAGE, STUDY = "lens", STUDIES["lens"]
WIDE = ".st-key-lens-wide { overflow-x: auto } .st-key-lens-wide"

adopt(PAGE)
seed(
    PAGE,
    {"prompt": "The Eiffel Tower is located in the city of", "answer": None, "boundary": "auto", "chat": None},
    LensRequest,
)
st.title("What would each state say?")
st.markdown(":gray[Every hidden state, read as if the model stopped there and answered (logit lens).]")
with st.container(border=True):
    prompt_field(st, PAGE, "Prompt")
    answer, button = st.columns([6, 2.8], vertical_alignment="bottom")
    answer.text_input("Answer", **field(PAGE, "answer"), placeholder="the model’s own")
    pressed = run_flow.go(
        button,
        PAGE,
        STUDY,
        "Read",
        type="primary",
        icon=":material/search:",
        width="stretch",
        shortcut="Mod+Enter",
        key="lens-go",
    )
    with st.container(horizontal=True, vertical_alignment="bottom"):
        chat_form.draw(PAGE)
        with st.popover("More settings", icon=":material/tune:"):
            boundary_field(PAGE)


def form() -> LensRequest:
    """The fields as they stand."""
    fields = {name: st.session_state[slot(PAGE, name)] for name in ("prompt", "answer", "boundary", "chat")}
    return validated(LensRequest, {**fields, "answer": fields["answer"] or None})


request = page.asked(PAGE, STUDY, form, pressed)


def show(result: LensResult) -> None:
    """The map of words."""
    count = len(result.tokens)
    first = max(0, count - WORDS_FIT)
    if count > WORDS_FIT:
        first = st.slider("First token shown", 0, count - WORDS_FIT, first, key="lens-first")
    tokens = range(first, min(count, first + WORDS_FIT))
    figure = lens_map(result, live(), tokens=tokens)
    with st.container(key="lens-wide"):  # on a phone it is moved sideways, so that words do not run together
        st.html(f"<style>{WIDE} > * {{ min-width: {BESIDE + COLUMN * len(tokens)}px }}</style>")
        st.plotly_chart(figure, key=f"lens-map-{theme_seen()}", alt=lens_alt(result), config={"displayModeBar": False})
    st.markdown(captions.lens(result))
    take_away(result)
    st.markdown(
        ":gray[Early layers are not made to be read this way: the lens shows what is legible already, not all that is "
        "known.]"
    )


run_flow.watch(PAGE, lambda: page.outcome(PAGE, STUDY, request, "steps", show, "Nothing read yet. Press **Read**."))
