"""A refusal as an answer: a status and one sentence of plain text, to a request or to a handshake."""

from starlette.responses import PlainTextResponse
from starlette.types import Message, Scope, Send


async def refuse(scope: Scope, send: Send, status: int, sentence: str) -> None:
    """Answer a request or a handshake with a status and a sentence, and nothing else."""
    answer = PlainTextResponse(f"{sentence}\n", status, headers={"Cache-Control": "no-store", "Connection": "close"})
    if scope["type"] == "http":
        await answer(scope, _nothing, send)
    elif "websocket.http.response" in scope.get("extensions", {}):
        head = {"type": "websocket.http.response.start", "status": status, "headers": answer.raw_headers}
        await send(head)
        await send({"type": "websocket.http.response.body", "body": answer.body})
    else:
        await send({"type": "websocket.close", "code": 1008})  # a server turns it into 403


async def _nothing() -> Message:
    return {"type": "http.disconnect"}
