"""Where are facts kept? Causal tracing averaged over many known facts."""

import streamlit as st

from analysis import AverageRequest, AverageResult, read_facts
from app.charts.palette import live
from app.components import theme_seen
from app.registry.studies import STUDIES
from app.session import chat_form, page, run_flow
from app.session.export_row import take_away
from app.session.fields import adopt, field, seed, slot
from app.session.permalinks import validated
from app.shell.gallery import example
from app.studies.trace import captions, fields
from app.studies.trace.average_figure import average_alt, average_curves, average_map, shared_top
from app.studies.trace.figure import TITLES
from editors.cases.case import counted

PAGE, STUDY = "average", STUDIES["average"]
FIELDS = ("facts", "relations", "at_least", "kinds", "window", "samples", "noise", "seed", "chat")
WAITS = "Nothing traced yet. Press **Trace them**; facts traced before are taken from the store."


def defaults() -> dict:
    """The stored example, so that the page has something to show before anything is run."""
    values = {name: getattr(example("average").request, name) for name in FIELDS}
    return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}


adopt(PAGE)
seed(PAGE, defaults(), AverageRequest)
st.title("Where are facts kept?")
st.markdown(
    ":gray[The same trace over many facts the model knows, averaged by the part a token plays "
    "(average indirect effect).]"
)
with st.container(border=True):
    facts, relations, button = st.columns([1.4, 4, 2], vertical_alignment="bottom")
    facts.number_input("Facts", 2, 1000, **field(PAGE, "facts"))
    names = sorted({fact.relation for fact in read_facts()} | set(st.session_state[slot(PAGE, "relations")]))
    relations.multiselect("Relations", names, **field(PAGE, "relations"), placeholder="all, in turn")
    pressed = run_flow.go(
        button, PAGE, STUDY, "Trace them", type="primary", icon=":material/stacks:", width="stretch", key="average-go"
    )
    with st.container(horizontal=True, vertical_alignment="bottom"):
        fields.repaired(PAGE)
        chat_form.draw(PAGE)
        with st.popover("More settings", icon=":material/tune:"):
            st.number_input("A fact is known from this probability on", 0.0, 1.0, step=0.05, **field(PAGE, "at_least"))
            fields.noise(PAGE)
            fields.seed_and_window(PAGE)


def form() -> AverageRequest:
    """The fields as they stand."""
    return validated(AverageRequest, {name: st.session_state[slot(PAGE, name)] for name in FIELDS})


request = page.asked(PAGE, STUDY, form, pressed)


def show(result: AverageResult) -> None:
    """A map and curves of each kind."""
    palette, light, top = live(), theme_seen(), shared_top(result)
    still = {"displayModeBar": False}
    for kind in result.mean:
        st.markdown(f"### {TITLES[kind]}")
        left, right = st.columns(2, vertical_alignment="center")
        figure, alt = average_map(result, kind, palette, top=top), average_alt(result, kind)
        left.plotly_chart(figure, key=f"average-{kind}-{light}", alt=alt, config=still)
        figure = average_curves(result, kind, palette, top=top)
        right.plotly_chart(figure, key=f"curves-{kind}-{light}", alt=f"As curves. {alt}", config=still)
        st.markdown(captions.average_sites(result, kind))
    st.markdown(captions.average(result))
    take_away(result)
    if result.skipped:
        st.markdown(
            f":gray[:small[{counted(len(result.skipped), 'fact')} skipped: their tokens cannot be told apart.]]"
        )


run_flow.watch(PAGE, lambda: page.outcome(PAGE, STUDY, request, "facts", show, WAITS))
