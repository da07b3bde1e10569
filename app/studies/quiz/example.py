"""What its chapter shows on the embedded model: a command, its figures, and how they are written."""

from typing import TYPE_CHECKING, Any

from app.chapters.example import BENCH, Add, Example, Rows, add_mean, value
from app.chapters.stored_figures import n_of, names_below
from editors.quizzes.result import DIMENSIONS

if TYPE_CHECKING:
    from argparse import Namespace

    from analysis import LanguageModel
    from editors.quizzes.result import QuizResult


def _quiz_figures(add: Add, found: "QuizResult") -> None:
    for at, version in enumerate(found.versions):
        for name in DIMENSIONS:
            add_mean(add, f"{version}.{name}", found.mean(at, name))


def _quiz_rows() -> Rows:
    versions = dict.fromkeys(name.rpartition(".")[0] for name in names_below(BENCH, "quiz"))
    for version in versions:
        shares = [value("quiz", f"{version}.{name}") for name in DIMENSIONS]
        yield version, *shares, n_of(BENCH, f"quiz.{version}.efficacy")


def _asks(args: "Namespace", lm: "LanguageModel") -> dict[str, Any]:
    from app.terminal.case_flags import cases_said, some_of

    return {"cases": some_of(args, cases_said(args), lm)}


def examples() -> dict[str, Example]:
    """The examples, by their part of the benchmark."""
    return {
        "quiz": Example(
            "quiz --n 3 --methods rome",
            ("method", *(f"{name}, %" for name in DIMENSIONS), "cases"),
            _quiz_figures,
            _quiz_rows,
            _asks,
        ),
    }
