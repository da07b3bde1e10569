"""What every answer tells the browser to hold to: whose scripts run, who may frame a page, what others are told.

Streamlit's own scripts come from its server; ours are text that it makes modules of, hence `blob:`. Its styles, and
Plotly's, are written into the page. The few scripts inside the document are named by their hashes.
"""

import base64
import re
from hashlib import sha256

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

INLINE = re.compile(r"<script>(.*?)</script>", re.DOTALL)


def policy(document: str) -> str:
    """The content security policy under which a document of ours works."""
    hashes = [
        f"'sha256-{base64.b64encode(sha256(text.encode()).digest()).decode()}'" for text in INLINE.findall(document)
    ]
    parts = {
        "default-src": ("'self'",),
        "script-src": ("'self'", "blob:", *hashes),
        "style-src": ("'self'", "'unsafe-inline'"),
        "img-src": ("'self'", "data:", "blob:"),
        "font-src": ("'self'", "data:"),
        "connect-src": ("'self'", "data:", "blob:"),
        "worker-src": ("'self'", "blob:"),
        "object-src": ("'none'",),
        "base-uri": ("'none'",),
        "form-action": ("'self'",),
        "frame-ancestors": ("'self'",),
    }
    return "; ".join(f"{name} {' '.join(values)}" for name, values in parts.items())


OTHERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": ", ".join(
        f"{name}=()"
        for name in (
            "accelerometer", "autoplay", "camera", "display-capture", "geolocation", "gyroscope", "magnetometer",
            "microphone", "midi", "payment", "publickey-credentials-get", "screen-wake-lock", "serial", "usb",
            "xr-spatial-tracking",
        )
    ),
}  # fmt: skip


class Told:
    """Adds the headers to every answer that does not say them itself."""

    def __init__(self, app: ASGIApp, document: str) -> None:
        self.app, self.headers = app, {"Content-Security-Policy": policy(document), **OTHERS}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on; what comes back is completed."""

        async def completed(message: Message) -> None:
            if message["type"] in ("http.response.start", "websocket.http.response.start"):
                headers = MutableHeaders(scope=message)
                for name, value in self.headers.items():
                    headers.setdefault(name, value)
            await send(message)

        await self.app(scope, receive, completed)
