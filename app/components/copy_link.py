"""A tertiary button that copies text. Streamlit's buttons run on the server, which has no clipboard of the reader's."""

from app.components.element import element

_copy = element("copy_link", "dom")


def copy_button(label: str, text: str, key: str, *, link: bool = False, icon: str = "link") -> None:
    """Draw a button that puts `text` on the clipboard and says so.

    With `link`, `text` may be relative ("?a=b", "/trace?a=b"): the browser completes it with the address of the page.
    `icon` is a Material Symbols name, without colons.
    """
    _copy(key=key, width="content", data={"label": label, "text": text, "link": link, "icon": icon})
