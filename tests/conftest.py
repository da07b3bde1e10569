"""What all tests share: one thread, no hub, a home of their own, tiny models built once."""

import os

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")

from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
import torch

from analysis.model.language_model import LanguageModel
from analysis.model.loading import load
from tests.kit.commands import specs  # noqa: F401 - a fixture
from tests.kit.families import FAMILIES, language_model
from tests.kit.visiting import loader, ready  # noqa: F401 - fixtures

torch.set_num_threads(1)
cached = cache(language_model)


@pytest.fixture(autouse=True)
def _own_home(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Keep tests out of the user's cache, except those that ask for the real model."""
    if not any(request.node.get_closest_marker(name) for name in ("real", "browser")):
        monkeypatch.setenv("PALIMPSEST_HOME", str(tmp_path / "home"))


@pytest.fixture(scope="session", params=list(FAMILIES))
def family(request: pytest.FixtureRequest) -> LanguageModel:
    """A tiny random model of each family in turn."""
    return cached(request.param)


@pytest.fixture(scope="session")
def tiny() -> LanguageModel:
    """One tiny random model, where the family does not matter."""
    return cached("llama")


@pytest.fixture(scope="session")
def smol() -> Iterator[LanguageModel]:
    """The embedded model; tests that use it are marked `real`."""
    yield load(device="cpu")
