"""What a person takes away from a figure: numbers, pictures, a link, a notebook."""

from typing import Any

import streamlit as st

from app.charts.export import figure_html
from app.components import copy_button, picture_buttons
from app.exports import to_csv, to_json
from app.links import link
from app.notebook import notebook
from app.tables import table

PATHS = {
    "trace": "trace",
    "average": "average",
    "lens": "lens",
    "drift": "drift",
    "heads": "conflict",
    "neurons": "neurons",
}


def take_away(study: str, result: Any, recipes: tuple[str, ...] = ()) -> None:
    """The export row. Pictures are taken in the browser, of the charts whose keys begin with the study's name."""
    name = f"palimpsest-{study}"
    with st.container(horizontal=True, horizontal_alignment="right", gap="small", key=f"{study}-export"):
        _numbers(name, result)
        st.download_button(
            "HTML", lambda: figure_html(result), f"{name}.html", "text/html", type="tertiary", on_click="ignore"
        )
        picture_buttons(f"{study}-", name, key=f"{study}-pictures")
        copy_button("Copy link", link(PATHS[study], result.request), key=f"{study}-link", link=True)
        copy_button(
            "Notebook", notebook(study, result.request, recipes=recipes), key=f"{study}-notebook", icon="content_copy"
        )


def take_numbers(study: str, result: Any) -> None:
    """The numbers alone, of a result without a figure of its own to take away."""
    with st.container(horizontal=True, horizontal_alignment="right", gap="small", key=f"{study}-export"):
        _numbers(f"palimpsest-{study}", result)


def _numbers(name: str, result: Any) -> None:
    st.download_button("CSV", lambda: to_csv(result), f"{name}.csv", "text/csv", type="tertiary", on_click="ignore")
    st.download_button(
        "JSON", lambda: to_json(result), f"{name}.json", "application/json", type="tertiary", on_click="ignore"
    )


def table_twin(study: str, result: Any) -> None:
    """The same numbers as a table, for readers and screen readers."""
    with st.expander("The numbers as a table", icon=":material/table:"):
        st.dataframe(table(result), hide_index=True, key=f"{study}-table")
