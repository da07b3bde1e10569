"""One way to register an element: its CSS and JavaScript lie beside its Python file and are read as text.

Asset paths of components v2 need a manifest and an installed package; text works from a checkout, a wheel and a
zip alike. A source always ends in a newline, since a single line with a slash would be taken for a path.
"""

from importlib.resources import files

import streamlit as st
from streamlit.components.v2.types import ComponentRenderer

_HERE = files(__package__)


def element(name: str, *shared: str) -> ComponentRenderer:
    """Register the element drawn by `<name>.js` and `<name>.css`.

    `shared` names further scripts to place before it; blob modules cannot import one another. The script finds an
    empty `.root` in its shadow root. Raises `FileNotFoundError` if a source is missing.
    """
    scripts = [_read(f"{script}.js") for script in (*shared, name)]
    return st.components.v2.component(
        f"palimpsest_{name}",
        html='<div class="root"></div>\n',
        css=_read(f"{name}.css"),
        js="\n".join(scripts),
    )


def _read(file: str) -> str:
    return (_HERE / file).read_text(encoding="utf-8").rstrip() + "\n"
