"""What a person takes away from a result: numbers, a file of everything, pictures, a link, a notebook.

One row for all studies; what a study has decides what stands in it. A file is made when somebody wants it.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import streamlit as st

from app.charts.html import result_html
from app.components import copy_button, picture_buttons
from app.exports.edit_notebook import edit_notebook
from app.exports.heading import shown_id, study_of
from app.exports.json_csv import csv_file, for_sheets, to_json
from app.exports.notebook import result_code, result_notebook
from app.exports.sheet import sheet
from app.exports.tables import table
from app.registry.studies import entry_of
from app.session.address import address
from editors.edit.edit import Edit

FILES: dict[str, tuple[str, str, Callable[[Any], str | bytes]]] = {
    "CSV": ("csv", "text/csv", csv_file),
    "JSON": ("json", "application/json", to_json),
    "HTML": ("html", "text/html", result_html),
}


def take_away(result: Any, *, key: str = "", **shown: str) -> None:
    """The export row; `shown` says which view of the result the page shows, where it has several.

    `key` keeps rows apart where a page has two of one study.
    """
    entry, shown_as = entry_of(result), shown_id(result)
    name, key = f"palimpsest-{entry.name}-{shown_as}", f"{key or entry.name}-export"
    with st.container(horizontal=True, horizontal_alignment="right", vertical_alignment="center", gap="small", key=key):
        st.markdown(f":gray[:small[`{shown_as}`]]", width="content")
        for label, (ending, kind, text) in FILES.items():
            _file(label, partial(text, result), f"{name}.{ending}", kind, key)
        if entry.report:
            _file("Report", partial(entry.read("report"), result), f"{name}.md", "text/markdown", key)
        if entry.panels:
            picture_buttons(lambda light: sheet(result, light, **shown), key=f"{key}-pictures")
        copy_button("Copy link", address(result), key=f"{key}-link", link=True)
        _file("Notebook", partial(_notebook, result), f"{name}.ipynb", "application/x-ipynb+json", key)
        copy_button("Copy code", result_code(result), key=f"{key}-code", icon="content_copy")


def _file(label: str, text: Callable[[], str | bytes], name: str, kind: str, key: str) -> None:
    st.download_button(label, text, name, kind, type="tertiary", on_click="ignore", key=f"{key}-{label.lower()}")


def _notebook(result: Any) -> str:
    """An edit that stands alone has a notebook of its own, which also goes on from its prompt."""
    return edit_notebook(result) if isinstance(result, Edit) and not result.built_on else result_notebook(result)


def table_twin(result: Any) -> None:
    """The same numbers as a table, for readers and screen readers."""
    with st.expander("The numbers as a table", icon=":material/table:"):
        st.dataframe(for_sheets(table(result)), hide_index=True, key=f"{study_of(result)}-table")
