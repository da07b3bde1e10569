"""A real server with the embedded model, a results folder of its own, and a real browser."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from analysis.cache_home import cache_home
from tests.browser.chromium import find_chromium

MAIN = Path(__file__).resolve().parents[2] / "app" / "main.py"
expect.set_options(timeout=60_000)  # a fresh server reads torch and the model before it draws
FLAGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-sync"]


@dataclass
class Server:
    """A running workbench."""

    process: subprocess.Popen
    url: str

    def stop(self) -> int:
        """Ask it to end as a host would; its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=60)


def start_server(home: Path) -> Server:
    """Start a workbench on a free port and wait until it answers."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    home.mkdir(parents=True, exist_ok=True)
    if not (home / "models").exists():
        (home / "models").symlink_to(cache_home() / "models")
    process = subprocess.Popen(
        [sys.executable, "-m", "app.cli", "serve", "--port", str(port), "--headless"],
        env=os.environ | {"PALIMPSEST_HOME": str(home)},
        cwd=MAIN.parents[1],
    )
    url = f"http://127.0.0.1:{port}"
    for _ in range(300):
        try:
            if urllib.request.urlopen(f"{url}/_stcore/health", timeout=2).read() == b"ok":
                return Server(process, url)
        except OSError:
            time.sleep(0.2)
    process.kill()
    raise RuntimeError("the server did not answer")


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
    assert path is not None, "No Chromium was found; run: python -m tests.browser.chromium --install"
    with sync_playwright() as playwright:
        made = playwright.chromium.launch(executable_path=path, args=FLAGS)
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
