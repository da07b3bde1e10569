"""PNG and SVG of the charts on the page, taken in the browser that drew them.

No browser is needed on the server, and what is saved is what is seen, in the light it is seen in.
"""

from app.components.element import element

_picture = element("picture", "dom")


def picture_buttons(charts: str, name: str, *, key: str) -> None:
    """Draw the buttons PNG and SVG, which save all charts whose key begins with `charts`, side by side, as `name`."""
    _picture(key=key, data={"charts": charts, "name": name}, width="content")
