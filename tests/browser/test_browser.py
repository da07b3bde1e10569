"""What only a browser can tell: which script answers a first hit on a fresh server."""

from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.conftest import start_server

pytestmark = pytest.mark.browser


def test_a_first_hit_beside_the_start_page_keeps_the_shell(browser: Browser, tmp_path: Path) -> None:
    server = start_server(tmp_path / "home")
    try:
        page = browser.new_page()
        page.goto(f"{server.url}/models")
        expect(page.get_by_role("heading", name="Which model?")).to_be_visible(timeout=60_000)
        expect(page.get_by_role("heading", name="Written over")).to_be_visible()
        page.goto(f"{server.url}/models.py")
        expect(page.get_by_role("heading", name="Written over")).to_be_visible()
        page.close()
    finally:
        assert server.stop() == 0
