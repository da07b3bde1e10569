"""Visitors of the pages, in process: follow a link, press, wait, read what stands there."""

import base64
import json
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qsl

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from analysis import ModelSpec
from app.jobs import services as shared
from app.jobs.model_slot import ModelSlot
from app.jobs.run_here import RunHere
from tests.kit.places import MAIN
from tests.kit.traces import PROMPT, SUBJECT

LINK = {"prompt": PROMPT, "subject": SUBJECT, "kinds": "state,mlp", "samples": "3", "sigma": "0.2", "window": "2"}
FACT = {"prompt": PROMPT, "subject": SUBJECT, "target": "river", "layers": "1", "contexts": "1", "steps": "4"}
WAIT = 30.0


def forget_services() -> None:
    shared.services().worker.close()
    shared.services.clear()


@pytest.fixture
def loader(monkeypatch, tiny) -> Iterator[list[ModelSpec]]:
    """A process that loads the tiny model whatever is asked for; the specs it was asked for."""
    loaded: list[ModelSpec] = []

    def load(spec: ModelSpec, report: Any) -> Any:
        loaded.append(spec)
        return tiny

    monkeypatch.setattr(shared, "RunApart", lambda: RunHere(ModelSlot(load)))
    shared.services.clear()
    yield loaded
    forget_services()


@pytest.fixture
def ready(loader, monkeypatch) -> shared.Services:
    """The same process with its model loaded; visitors bring no cookie, of which the harness has only a mock."""
    monkeypatch.setattr("app.session.edit_stack.visitor", lambda fresh: fresh)
    made = shared.services()
    made.begin()
    until(lambda: ModelSpec() in made.models.cards)
    return made


def until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + WAIT
    while not true():
        assert time.monotonic() < end
        time.sleep(0.01)


def visit(page: str, **query: str) -> AppTest:
    """A new visitor who follows a link."""
    at = AppTest.from_file(MAIN, default_timeout=WAIT)
    for name, value in query.items():
        at.query_params[name] = value
    return at.switch_page(f"../pages/{page}.py").run()


def fine(at: AppTest) -> AppTest:
    assert not at.exception, [fault.message for fault in at.exception]
    return at


def text(at: AppTest) -> str:
    parts = [*at.markdown, *at.error, *at.title, *at.header, *at.subheader]
    return "\n".join(part.value.replace("\\", "") for part in parts)


def press(at: AppTest, key: str) -> AppTest:
    return fine(at.button(key=key).click().run())


def run(at: AppTest, key: str = "trace-go", page: str = "trace") -> AppTest:
    """Press a button and wait for the run that it starts."""
    press(at, key)
    job = at.session_state[f"{page}.job"]
    until(lambda: job.over)
    return fine(at.run())


def charts(at: AppTest) -> list[Any]:
    return [chart.proto for chart in at.get("plotly_chart")]


def numbers(data: Any) -> np.ndarray:
    """Values in a figure's JSON, written out or packed."""
    if isinstance(data, dict):
        flat = np.frombuffer(base64.b64decode(data["bdata"]), data["dtype"])
        return flat.reshape([int(size) for size in data["shape"].split(",")]) if "shape" in data else flat
    return np.array(data, dtype=float)


def offered(at: AppTest, study: str) -> list[str]:
    """What the export row of a study offers to download."""
    return [one.label for one in at.get("download_button") if f"{study}-export-" in one.proto.id]


def address(at: AppTest) -> dict[str, str]:
    """What the address of the page is made to say of its form."""
    bar = next(one.proto for one in at.get("bidi_component") if one.proto.component_name.endswith("address_bar"))
    return dict(parse_qsl(json.loads(bar.json)["query"], keep_blank_values=True))


def wrote(at: AppTest) -> AppTest:
    run(at, "edit-go", "edit")
    return fine(at.run())
