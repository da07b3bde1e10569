"""A workbench of one's own, for as long as it is visited: a free port, a home of its own, the models that are here."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from analysis.cache_home import cache_home
from analysis.errors import WorkbenchError

ROOT = Path(__file__).resolve().parents[3]
WAIT = 60.0
"""Seconds until it answers."""


@dataclass
class Server:
    """A running workbench."""

    process: subprocess.Popen
    url: str

    def stop(self) -> int:
        """Ask it to end as a host would; its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=60)


def free_port() -> int:
    """A port that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def start_server(home: Path, flags: Sequence[str] = (), port: int | None = None) -> Server:
    """Start a workbench with its results under `home`, and wait until it answers; `flags` are those of `serve`."""
    port = port or free_port()
    home.mkdir(parents=True, exist_ok=True)
    if not (home / "models").exists():
        (home / "models").symlink_to(cache_home() / "models")
    process = subprocess.Popen(
        [sys.executable, "-m", "app.cli", "serve", "--port", str(port), "--headless", *flags],
        env=os.environ | {"PALIMPSEST_HOME": str(home)},
        stdout=sys.stderr,  # a benchmark's own output may be read by a program
        cwd=ROOT,
    )
    url, end = f"http://127.0.0.1:{port}", time.monotonic() + WAIT
    while time.monotonic() < end and process.poll() is None:
        try:
            if urllib.request.urlopen(f"{url}/_stcore/health", timeout=2).read() == b"ok":
                return Server(process, url)
        except OSError:
            time.sleep(0.2)
    process.kill()
    raise WorkbenchError("The workbench that was to be visited did not answer; its own output says why.")
