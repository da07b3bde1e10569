"""The terminal's door to the workbench: the same studies, under the same names.

A command's module is imported when it is called, so `palimpsest --help` does not wait for torch.
"""

import os
import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version

from analysis.errors import WorkbenchError
from app.terminal.text import Parser

COMMANDS = {
    "serve": ("app.cli.serve", "open the workbench in a browser"),
    "model": ("app.cli.models", "list, price, fetch and check models"),
    "facts": ("app.cli.study_command", "ask a model which facts it knows"),
    "trace": ("app.cli.study_command", "find the states that bring a blurred answer back"),
    "average": ("app.cli.study_command", "trace many known facts and average by role of the token"),
    "edit": ("app.studies.edit.command", "write a fact over what the model says"),
    "drift": ("app.cli.study_on_edits", "see what edits do to attention, and what that does to an answer"),
    "patch": ("app.cli.study_on_edits", "set heads back to where they looked before the edits"),
    "drifts": ("app.cli.study_on_edits", "attention drift over all test prompts of edits"),
    "apply": ("app.studies.edit.command", "make an adapter, a checkpoint or a script of a recipe"),
    "recipe": ("app.studies.edit.command", "show, verify and compare recipes"),
    "generate": ("app.studies.edit.command", "let a model go on from a prompt, with edits"),
    "stats": ("app.studies.edit.command", "measure what layers are used to reading (second moments)"),
    "layers": ("app.studies.layers.command", "try at which layer a fact is best written"),
    "heads": ("app.cli.study_command", "find the heads that speak for memory and for the page, on one prompt"),
    "conflict": ("app.cli.study_command", "find such heads on many conflicts and test what silencing them does"),
    "knockout": ("app.cli.study_command", "cut attention edges and modules and see which answer suffers"),
    "transfer": ("app.cli.study_command", "test heads found on one relation or form on others"),
    "prune": ("app.studies.edit.prune_command", "silence heads, as an edit"),
    "lens": ("app.cli.study_command", "read every state of a prompt through the logit lens"),
    "neurons": ("app.cli.study_command", "find the neurons that raise an answer, and those that switch them on"),
    "hops": ("app.cli.study_command", "ask chains of two facts, hop by hop and whole"),
    "reach": ("app.studies.reach.command", "write a fact of a chain with several methods and ask hop by hop and whole"),
    "evaluate": ("app.studies.evaluate.command", "compare methods on the same cases by every protocol of the field"),
    "quiz": (
        "app.cli.study_on_cases",
        "write facts and ask about them in every form: five dimensions, answered freely",
    ),
    "lifelong": ("app.cli.study_on_cases", "write facts one upon the other, and see how long they and the model last"),
    "abilities": ("app.cli.study_on_edits", "ask small questions that no edit should touch, with edits or without"),
    "lm-eval": ("app.studies.evaluate.lm_eval_command", "a second opinion on general ability, by lm-eval (an extra)"),
    "sweep": ("app.sweeps.command", "run a study over every case of a file, here or on a cluster"),
    "report": ("app.sweeps.command", "read back what a sweep has computed"),
    "data": ("app.cli.data", "check a file of cases: its form, its faults row by row, conflicts, duplicates"),
    "bench": ("app.cli.bench", "measure speed and exactness on this machine"),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; 0, 2 for bad input (one sentence on stderr), or 130 for Ctrl-C."""
    words = list(sys.argv[1:] if argv is None else argv)
    _quiet()
    _give_way()
    try:
        args = parser_for(words).parse_args(words)
        return args.run(args)
    except SystemExit as leaving:
        return leaving.code if isinstance(leaving.code, int) else 0
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except WorkbenchError as error:
        print(error, file=sys.stderr)
        return 2


def parser_for(words: Sequence[str]) -> Parser:
    """The program's parser; of all commands only the one that is called has its flags."""
    parser = Parser(
        prog="palimpsest",
        description="See where a language model keeps a fact, write over it, and see what still reads through.",
    )
    parser.add_argument("--version", action="version", version=f"palimpsest {_version()}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    called = next((word for word in words if not word.startswith("-")), None)
    for name, (module, summary) in COMMANDS.items():
        command = commands.add_parser(name, help=summary, description=f"{summary[0].upper()}{summary[1:]}.")
        if name == called:
            import_module(module).configure(command, name)
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
