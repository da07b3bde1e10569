"""How the server's process runs and ends."""

import subprocess
import sys
import tomllib

from app.registry.studies import ENTRIES
from app.shell import page_html
from tests.kit.places import ROOT

ENDS = """
import atexit, threading, time
from app.server import end

class Slow:
    def __del__(self):
        print("taken apart")

kept = Slow()
threading.Thread(target=time.sleep, args=(600,)).start()
atexit.register(print, "kept")
end(3)
"""


def test_the_end_runs_the_exit_functions_and_waits_for_nothing_else():
    ended = subprocess.run([sys.executable, "-c", ENDS], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert ended.stdout.split() == ["kept"]
    assert ended.returncode == 3


def runner() -> dict:
    config = ROOT / "app" / ".streamlit" / "config.toml"
    return tomllib.loads(config.read_text(encoding="utf-8"))["runner"]


def test_no_redraw_collects_garbage_while_a_run_goes_on():
    """With torch read a full collection takes longer than the pause between two redraws of a page that waits."""
    assert runner()["postScriptGC"] is False


def test_what_is_written_below_a_constant_is_not_drawn():
    assert runner()["magicEnabled"] is False


def test_every_page_has_a_route_that_says_where_its_server_is():
    own = {f"/{entry.page}" for entry in ENTRIES.values() if entry.page}
    assert {"/", "/compare", *own} <= {route.path for route in page_html.routes()}
