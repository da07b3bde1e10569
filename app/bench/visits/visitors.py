"""People at a workbench, each in a window of their own, played by a headless Chromium."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from analysis.errors import BadRequest, WorkbenchError
from app.bench.visits.chromium import FLAGS, find_chromium

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

NEEDED = (
    "This benchmark drives the pages in a headless browser: it needs the package playwright and a Chromium or Chrome. "
    "Install them with: pip install 'palimpsest[dev]' && python -m app.bench.visits.chromium --install"
)
WAIT = 300_000
"""Milliseconds a model may take to be read on a busy machine."""
PLACES = {
    "Lens": ".st-key-lens-go button",
    "Conflict": ".st-key-heads-go button",
    "Edit": ".st-key-edit-go button",
    "Trace": ".st-key-trace-go button",
}
"""Pages that are looked at in turn, and what stands on each once its form is drawn."""
FIGURE = '[class*="st-key-trace-state-"] .js-plotly-plot .main-svg'


@contextmanager
def chromium() -> Iterator["Browser"]:
    """A headless browser; `BadRequest` says what to install where there is none."""
    try:
        from playwright.sync_api import Error, sync_playwright
    except ImportError as error:
        raise BadRequest(NEEDED) from error
    if (path := find_chromium()) is None:
        raise BadRequest(NEEDED)
    with sync_playwright() as playwright:
        made = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        try:
            yield made
        except Error as error:
            first = str(error).strip().splitlines()[0]
            raise WorkbenchError(f"The pages did not do what they were asked to: {first}") from error
        finally:
            made.close()


class Visitors:
    """So many people who look at one workbench."""

    def __init__(self, browser: "Browser", url: str, count: int):
        self.url = url
        self.contexts = [browser.new_context(viewport={"width": 1440, "height": 1000}) for _ in range(count)]
        for context in self.contexts:
            context.set_default_timeout(WAIT)
        self.pages: list[Page] = [context.new_page() for context in self.contexts]

    def open(self, request: dict[str, str]) -> None:
        """All follow the link of a trace, and see its form."""
        for page in self.pages:
            page.goto(f"{self.url}/trace?{urlencode(request)}")
        for page in self.pages:
            page.locator(PLACES["Trace"]).wait_for()
            page.get_by_role("listbox").first.wait_for()  # the prompt has been read, so the model is there

    def press(self) -> float:
        """The first presses Trace; seconds from the click to the picture. The others join the run."""
        first, *others = self.pages
        began = time.perf_counter()
        first.locator(PLACES["Trace"]).click()
        first.locator(FIGURE).first.wait_for()
        seconds = time.perf_counter() - began
        for page in others:
            page.locator(PLACES["Trace"]).click()
        for page in others:
            page.locator(FIGURE).first.wait_for()
        return seconds

    def switch(self, times: int) -> list[float]:
        """The last of them looks at one page after another; seconds from each click to the page's form."""
        page, found = self.pages[-1], []
        for number in range(times):
            name = list(PLACES)[number % len(PLACES)]
            began = time.perf_counter()
            page.get_by_role("link", name=name, exact=True).click()
            page.locator(PLACES[name]).wait_for()
            found.append(time.perf_counter() - began)
        return found

    def running(self) -> bool:
        """Whether the run is still going on."""
        return self.pages[0].locator(".st-key-trace-cancel button").count() > 0

    def cancel(self) -> None:
        """End the run, for all."""
        page = self.pages[0]
        page.locator(".st-key-going-end-0 button").first.click()
        page.locator(".st-key-trace-progress").wait_for(state="detached")

    def leave(self) -> None:
        """Close the windows."""
        for context in self.contexts:
            context.close()
