"""Elements that Streamlit does not have: the verse, the token strip, plates, the answer.

Each is a components v2 element whose style lives in its own shadow root, so nothing is injected into the app.
Text reaches the page by `textContent` alone and colours come from the theme, so both lights work unasked.
"""

from app.components.address_bar import say_address
from app.components.answer import answer
from app.components.copy_link import copy_button
from app.components.picture import picture_buttons
from app.components.plates import Choice, Plate, plates, rail
from app.components.theme_probe import theme_light, theme_seen
from app.components.token_strip import StripChange, token_strip
from app.components.verse import verse

__all__ = [
    "Choice",
    "Plate",
    "StripChange",
    "answer",
    "copy_button",
    "picture_buttons",
    "plates",
    "rail",
    "say_address",
    "theme_light",
    "theme_seen",
    "token_strip",
    "verse",
]
