"""The command line, in process: every command gets the tiny model, and refuses with one sentence."""

from typing import Any

import pytest

from analysis import ModelSpec
from app.cli import main
from app.terminal import request_flags


@pytest.fixture
def specs(monkeypatch, tiny) -> list[ModelSpec]:
    """Every command gets the tiny model; what it asked for is kept."""
    asked: list[ModelSpec] = []

    def load(spec: ModelSpec, report: Any) -> Any:
        asked.append(spec)
        return tiny

    monkeypatch.setattr(request_flags, "load", load)
    return asked


def refused(capsys, *words: str) -> str:
    """The sentence a command refuses with."""
    assert main(words) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert err.endswith((".\n", "?\n"))
    return err
