"""What the form says, said by the address of its page.

Streamlit itself pushes an address that it is given: each became a step of its own, and one that came while a page was
being left stood under the page before. Here it takes the place of the page's own entry, once that page is there.
"""

from urllib.parse import urlencode

import streamlit as st

from app.components.element import element

_bar = element("address_bar")


def say_address(page: str, query: dict[str, str]) -> None:
    """Have the address of the page of this name say `query`; drawn where it takes no room."""
    with st.sidebar:
        _bar(key=f"address-{page}", data={"page": page, "query": urlencode(query)}, width="content")
