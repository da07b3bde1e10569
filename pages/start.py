"""Start: one fact, what is stored of it, and where to go from here."""

import streamlit as st

from app.charts.palette import live
from app.components import plates, theme_seen, verse
from app.jobs.services import services
from app.registry.studies import STUDIES
from app.shell.gallery import example, examples
from app.shell.margin import PAGES
from app.shell.open_example import open_example
from app.studies.trace.figure import alt_text, caption_words, shared_top, trace_map

made = services()
thumbs = {plate["id"]: plate["thumb"] for plate in made.shipped["gallery"]}
keys = {plate["id"]: plate["key"] for plate in made.shipped["gallery"]}

left, right = st.columns([1, 1.15], gap="large", vertical_alignment="center")
with left:
    st.markdown(":gray[A page written over, whose earlier text still shows.]")
    verse(
        "The Eiffel Tower is located in the city of",
        "The Eiffel Tower",
        now="Rome",
        was="Paris",
        size="large",
        key="start-verse",
    )
    st.markdown("See where a language model keeps a fact. Write over it. See what still reads through.")
    with st.container(horizontal=True):
        if st.button("Trace this fact", type="primary", icon=":material/grid_on:", key="start-trace"):
            open_example(example("eiffel"))
        if st.button("Look at many facts", icon=":material/stacks:", key="start-average"):
            open_example(example("average"))
with right:
    stored = made.store.load(STUDIES["trace"], keys["eiffel"]) if "eiffel" in keys else None
    if stored is not None:
        figure = trace_map(stored, "state", live(), top=shared_top([stored]))
        st.plotly_chart(
            figure, key=f"start-{theme_seen()}", alt=alt_text(stored, "state"), config={"displayModeBar": False}
        )
        st.markdown(f":gray[:small[{caption_words(stored)}]]")

st.header("Follow one fact")
path = plates(
    [
        {"id": "trace", "over": "1 Trace", "title": "Where is it kept?", "thumb": thumbs.get("eiffel"),
         "sub": "Repair one state at a time and watch the answer return."},
        {"id": "drift", "over": "2 Drift", "title": "Where does it look now?",
         "thumb": thumbs.get("drift"), "sub": "After an edit, heads stare at the subject."},
        {"id": "conflict", "over": "3 Conflict", "title": "Memory or the page?", "thumb": thumbs.get("conflict"),
         "sub": "Two groups of heads disagree. Silence one."},
        {"id": "neurons", "over": "4 Neurons", "title": "Which path does it take?", "thumb": thumbs.get("neurons"),
         "sub": "From the question to the answer, neuron by neuron."},
        {"id": "edit", "over": "5 Edit", "title": "Write over it", "word": ("Paris", "Rome"),
         "sub": "Before and after, undo, and a recipe to keep."},
    ],
    layout="row",
    key="path",
)  # fmt: skip
if path in PAGES:
    st.switch_page(PAGES[path])

title, choice = st.columns([1, 1.4], vertical_alignment="bottom")
title.header("Begin with an example")
groups = ["All", *dict.fromkeys(example.group for example in examples())]
with choice, st.container(horizontal=True, horizontal_alignment="right"):
    group = st.pills("Kind", groups, default="All", required=True, label_visibility="collapsed", wrap=True, key="group")
opened = plates(
    [
        {"id": e.id, "over": e.group, "title": e.title, "sub": e.sub, "thumb": thumbs.get(e.id)}
        for e in examples()
        if group in ("All", e.group)
    ],
    layout="gallery",
    key="gallery",
)
if opened:
    open_example(example(opened))
