"""Whether the hub answers, asked once and briefly before it is asked for what is not on this machine.

Its own client tries again and again for half a minute where there is no connection.
"""

from huggingface_hub import constants
from huggingface_hub.utils import get_session

from analysis.errors import ModelUnavailable

SECONDS = 4.0
BROKEN = 500
"""From this status on it is the server that fails."""


def refuse_unreached(wanted: str, instead: str) -> None:
    """`ModelUnavailable` where the hub does not answer; `wanted` is asked for, and `instead` says what else to do."""
    try:
        status = get_session().head(constants.ENDPOINT, timeout=SECONDS, follow_redirects=False).status_code
        fault = f"it answered with status {status}" if status >= BROKEN else ""
    except Exception as error:  # of whichever client this version of the hub's library brings
        fault = str(error).strip() or type(error).__name__
    if fault:
        host = constants.ENDPOINT.split("://")[-1]
        raise ModelUnavailable(
            f"“{wanted}” is not on this machine, and {host} cannot be reached ({fault}). "
            f"Check the name and the connection, or {instead}."
        )
