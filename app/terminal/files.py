"""Files a command writes: seen to be writable before the work starts, whole or absent after it."""

import sys
import tempfile
from argparse import SUPPRESS, ArgumentParser, Namespace
from collections.abc import Callable
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from analysis.errors import BadRequest
from analysis.whole_files import replacing

FORMS = {
    "json": "everything, as strict JSON",
    "csv": "the table, as CSV",
    "html": "figures and table, as one file that needs nothing else",
    "markdown": "the report, as Markdown",
}


STDOUT = Path("-")


def add_outputs(parser: ArgumentParser, *forms: str, bare: bool = False) -> None:
    """--json, --csv, --html; with `bare` each may stand without a file and is then printed, as for the file “-”."""
    group = parser.add_argument_group("files")
    settings: dict[str, Any] = {"nargs": "?", "const": STDOUT} if bare else {}
    for form in forms:
        explained = FORMS[form] + ("; printed where no file is named" if bare else "")
        group.add_argument(f"--{form}", metavar="FILE", type=Path, default=SUPPRESS, help=explained, **settings)


def printed(args: Namespace) -> bool:
    """Whether a file's text takes the place of what the command would print."""
    return any(getattr(args, form, None) == STDOUT for form in FORMS)


def check_outputs(args: Namespace) -> None:
    """Raise `BadRequest` for a file that could not be written."""
    for form in FORMS:
        if getattr(args, form, STDOUT) != STDOUT:
            _checked(getattr(args, form))


def forms_of(result: Any) -> dict[str, Callable[[], str]]:
    """What makes the text of a result in each form: the same as from its page."""
    from app.exports.json_csv import to_csv, to_json

    def to_html() -> str:
        from app.charts.html import result_html  # here, since Plotly is read for figures alone

        return result_html(result)

    return {"json": partial(to_json, result), "csv": partial(to_csv, result), "html": to_html}


def write_outputs(args: Namespace, writers: dict[str, Callable[[], str]]) -> None:
    """Write every file that was asked for."""
    for form, text in writers.items():
        if hasattr(args, form):
            write(getattr(args, form), text())


def write(path: Path, text: str) -> None:
    """Write `text` whole or not at all; what is no ordinary file, such as /dev/stdout, is written to directly.

    Folders are made; those of files that a person named were seen to be there by `check_outputs`."""
    if path == STDOUT:
        sys.stdout.write(text)
        return
    with _sentence(path):
        target = path.resolve()
        if target.exists() and not target.is_file():
            target.write_text(text, encoding="utf-8")
            return
        with replacing(target) as new:
            new.write_text(text, encoding="utf-8")


def _checked(path: Path) -> None:
    with _sentence(path):
        target = path.resolve()
        if target.is_dir():
            raise BadRequest(f"{path} is a folder. Name a file in it.")
        if not target.exists() or target.is_file():
            with tempfile.TemporaryFile(dir=target.parent):
                pass


@contextmanager
def _sentence(path: Path) -> Any:
    try:
        yield
    except OSError as error:
        raise BadRequest(f"{path} cannot be written ({error.strerror or error}). Choose another place.") from error
