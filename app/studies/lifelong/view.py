"""A stream of edits on the page: what is left at each milestone, by age, and of the model as a whole."""

import numpy as np
import pandas as pd
import streamlit as st

from app.charts.palette import live
from app.charts.words import percent
from app.components import theme_seen
from app.session.export_row import take_away
from app.session.run_flow import escape
from app.studies.lifelong import captions
from app.studies.lifelong.figure import age_alt, age_bars, moved_alt, moved_curves, retention_alt, retention_curves
from editors.cases.case import counted
from editors.lifelong_editing.result import LifelongResult
from editors.registry.versions import label_of

STILL = {"displayModeBar": False}


def show(result: LifelongResult) -> None:
    """The finding, the curves, the ages, the model."""
    st.markdown(_finding(result))
    left, right = st.columns([1.6, 1], gap="large")
    with left:
        st.markdown("**What is left as edits go on** :gray[:small[retention]]")
        st.plotly_chart(
            retention_curves(result, live()),
            key=f"lifelong-curves-{theme_seen()}",
            alt=retention_alt(result),
            config=STILL,
        )
    if result.by_age():
        with right:
            st.markdown("**At the end, by age** :gray[:small[facts still said]]")
            bars = age_bars(result, live())
            st.plotly_chart(bars, key=f"lifelong-ages-{theme_seen()}", alt=age_alt(result), config=STILL)
    st.dataframe(_model(result), hide_index=True, width="stretch", key="lifelong-model")
    if result.moved is not None:
        st.markdown("**Where the damage comes from** :gray[:small[how far the changed layers’ output moves]]")
        figure = moved_curves(result, live())
        st.plotly_chart(figure, key=f"lifelong-moved-{theme_seen()}", alt=moved_alt(result), config=STILL)
        with st.expander("The same in numbers", icon=":material/table:"):
            st.dataframe(_moved(result), hide_index=True, width="stretch", key="lifelong-moved-table")
        st.markdown(captions.moved(result))
    st.markdown(captions.lifelong(result))
    take_away(result)
    for fault in result.faults[:5]:
        st.markdown(f":orange[:material/info:] {escape(fault)}")
    if len(result.faults) > 5:
        st.markdown(f":gray[… and {len(result.faults) - 5} more, in the JSON.]")


def _finding(result: LifelongResult) -> str:
    name = label_of(result.request.method)
    if not result.milestones[-1]:
        return f"{escape(name)} has not come to the first milestone yet."
    first, last = result.at_once(), result.kept(-1)
    if first is None or last is None:
        return f"{escape(name)} wrote none of the facts."
    lost = result.drawdown()[-1]
    told = f"After **{counted(last.n, 'edit')}** with {escape(name)}, **{percent(last.value)}** of the facts are still "
    told += f"said; right after its own edit it was {percent(first.value)}."
    return told if np.isnan(lost) else f"{told} Of what should have stayed, up to **{percent(float(lost))}** is lost."


def _model(result: LifelongResult) -> pd.DataFrame:
    """The model as a whole, a row a milestone."""
    lost = [max(0.0, float(one)) if one == one else one for one in result.drawdown()]
    return pd.DataFrame(
        {
            "Edits": result.milestones,
            "Perplexity": [f"{one:.2f}" for one in result.perplexity],
            "Moved": [f"{one:.3f}" for one in result.kl],
            "Silent": [percent(float(one)) for one in result.mute],
            "Worst loss": ["–" if one != one else percent(one) for one in lost],
            "Largest change": [f"{one:.3f}" for one in result.change],
        }
    )


def _moved(result: LifelongResult) -> pd.DataFrame:
    """Where the damage comes from, a row a milestone."""
    moved = result.moved
    assert moved is not None

    def told(values: np.ndarray) -> list[str]:
        return ["–" if one != one else f"{100 * one:.1f} %" for one in values]

    return pd.DataFrame(
        {
            "Edits": result.milestones,
            "Text": told(moved.text),
            "Near, by its own edit": told(moved.own),
            "Near, by all others": told(moved.others),
            "Near, by all": told(moved.both),
            "Length of new values": ["–" if one != one else f"{one:.2f}" for one in moved.lengths(result.milestones)],
        }
    )
