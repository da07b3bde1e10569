"""What would each state say? The logit lens over all layers and tokens of a prompt."""

import streamlit as st

from analysis import LensRequest, WorkbenchError
from app.charts.palette import live
from app.components import theme_seen
from app.registry.studies import STUDIES
from app.session import chat_form, run_flow
from app.session.boundary_field import boundary_field
from app.session.export_row import table_twin, take_away
from app.session.fields import adopt, field, say, seed, slot
from app.session.permalinks import validated
from app.studies.lens import captions
from app.studies.lens.figure import WORDS_FIT, lens_alt, lens_map

PAGE, STUDY = "lens", STUDIES["lens"]

adopt(PAGE)
seed(
    PAGE,
    {"prompt": "The Eiffel Tower is located in the city of", "answer": None, "boundary": "auto", "chat": None},
    LensRequest,
)
st.title("What would each state say?")
st.markdown(":gray[Every hidden state, read as if the model stopped there and answered (logit lens).]")
with st.container(border=True):
    prompt, answer, button = st.columns([4, 2, 2.8], vertical_alignment="bottom")
    prompt.text_input("Prompt", **field(PAGE, "prompt"))
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
request = None
try:
    fields = {name: st.session_state[slot(PAGE, name)] for name in ("prompt", "answer", "boundary", "chat")}
    request = validated(LensRequest, {**fields, "answer": fields["answer"] or None})
    say(PAGE, request)
    if pressed:
        run_flow.start(PAGE, STUDY, request)
except WorkbenchError as error:
    run_flow.refusal(error)


def outcome() -> None:
    """Progress and figure."""
    result = run_flow.follow(PAGE, STUDY, request, "steps")
    if result is None:
        run_flow.nothing_yet(PAGE, "Nothing read yet. Press **Read**.")
        return
    count = len(result.tokens)
    first = max(0, count - WORDS_FIT)
    if count > WORDS_FIT:
        first = st.slider("First token shown", 0, count - WORDS_FIT, first, key="lens-first")
    figure = lens_map(result, live(), tokens=range(first, min(count, first + WORDS_FIT)))
    st.plotly_chart(figure, key=f"lens-map-{theme_seen()}", alt=lens_alt(result), config={"displayModeBar": False})
    st.markdown(captions.lens(result))
    take_away(result)
    st.markdown(
        ":gray[Early layers are not made to be read this way: the lens shows what is legible already, not all that is "
        "known.]"
    )
    table_twin(result)


run_flow.watch(PAGE, outcome)
