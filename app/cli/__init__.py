"""The terminal's door to the workbench: the same studies, under the same names.

A command's module is imported when it is called, so `palimpsest --help` does not wait for torch.
"""

import errno
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import TextIO

from analysis.errors import BadRequest, WorkbenchError
from app.registry.studies import commands
from app.terminal.text import Parser

OF_THE_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EMFILE, errno.ENFILE)
"""Errors of the system that a person can mend; any other is a bug."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; 0, 2 for bad input (one sentence on stderr), or 130 for Ctrl-C."""
    words = list(sys.argv[1:] if argv is None else argv)
    _quiet()
    _give_way()
    try:
        code = _run(words)
        if sys.stdout is not None:
            sys.stdout.flush()
        return code
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        _leave_output()
        return 141
    except WorkbenchError as error:
        print(error, file=sys.stderr)
        return 2
    except OSError as error:
        if error.errno not in OF_THE_DISK:
            raise
        print(f"{error.filename or 'The disk'}: {error.strerror}. Nothing whole was changed.", file=sys.stderr)
        if _is_lost(sys.stdout):
            _leave_output()
        return 2


def _run(words: Sequence[str]) -> int:
    _readable(words)
    try:
        args = parser_for(words).parse_args(words)
        return args.run(args)
    except SystemExit as leaving:
        return leaving.code if isinstance(leaving.code, int) else 0


def _is_lost(output: TextIO | None) -> bool:
    """Whether what was printed cannot be written."""
    try:
        if output is not None:
            output.flush()
    except OSError:
        return True
    return False


def _leave_output() -> None:
    """Let what is still to be written go nowhere, so that the end of the process does not fail over it."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _readable(words: Sequence[str]) -> None:
    """Raise `BadRequest` for a word that is no text: bytes that are not UTF-8 reach a program as half characters."""
    for number, word in enumerate(words, start=1):
        try:
            word.encode()
        except UnicodeEncodeError as error:
            shown = os.fsencode(word).decode(errors="replace")
            raise BadRequest(f"Argument {number}, “{shown}”, is not UTF-8. Write it in UTF-8.") from error


def parser_for(words: Sequence[str]) -> Parser:
    """The program's parser; of all commands only the one that is called has its flags."""
    parser = Parser(
        prog="palimpsest",
        description="See where a language model keeps a fact, write over it, and see what still reads through.",
    )
    parser.add_argument("--version", action="version", version=f"palimpsest {_version()}")
    listed = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    called = next((word for word in words if not word.startswith("-")), None)
    for one in commands():
        command = listed.add_parser(one.name, help=one.does, description=f"{one.does[0].upper()}{one.does[1:]}.")
        if one.name == called:
            import_module(one.module).configure(command, one.name)
    return parser


def _version() -> str:
    try:
        return version("palimpsest")
    except PackageNotFoundError:
        return "(not installed)"


def _quiet() -> None:
    """Keep the libraries' own messages and bars out of the terminal, and odd characters from ending a command."""
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    if not sys.stderr.isatty():
        os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")


def _give_way() -> None:
    """Let a thread that waits for others leave its core, unless told otherwise: read by OpenMP when torch is loaded.

    Little is lost on an idle machine (most passes within 4 %, a large batch up to 12 %); where a browser or a second
    run wants the cores, threads that spin make a pass of the embedded model up to twice as long.
    """
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", "1000")
