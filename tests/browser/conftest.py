"""A real server with the embedded model, a results folder of its own, and a real browser."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from app.bench.visits.chromium import FLAGS, find_chromium
from app.bench.visits.served import Server, start_server

expect.set_options(timeout=60_000)  # a fresh server reads torch and the model before it draws


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for all tests that do not end it."""
    made = start_server(tmp_path_factory.mktemp("workbench"))
    yield made
    made.stop()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One headless browser."""
    path = find_chromium()
    assert path is not None, "No Chromium was found; run: python -m app.bench.visits.chromium --install"
    with sync_playwright() as playwright:
        made = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        yield made
        made.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A visitor's own window."""
    context = browser.new_context(viewport={"width": 1440, "height": 1100}, color_scheme="light")
    context.set_default_timeout(60_000)
    yield context.new_page()
    context.close()


@pytest.fixture
def others(browser: Browser) -> Iterator[list[Page]]:
    """Two people, each with a context of their own."""
    contexts = [browser.new_context(viewport={"width": 1280, "height": 1000}) for _ in range(2)]
    for context in contexts:
        context.set_default_timeout(60_000)
    yield [context.new_page() for context in contexts]
    for context in contexts:
        context.close()
