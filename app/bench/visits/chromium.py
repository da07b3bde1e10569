"""A browser for tests and the bench of pages; `python -m app.bench.visits.chromium --install` fetches one if needed.

Whatever is there already is used first. Fetching tries playwright's own download, then the system's package manager
where that works without a password.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "microsoft-edge", "msedge")
MAC_APPS = (
    "Google Chrome.app/Contents/MacOS/Google Chrome",
    "Chromium.app/Contents/MacOS/Chromium",
    "Microsoft Edge.app/Contents/MacOS/Microsoft Edge",
)
PLAYWRIGHT_BUILDS = (
    "chromium-*/chrome-linux*/chrome",
    "chromium-*/chrome-mac*/*.app/Contents/MacOS/*",
    "chromium-*/chrome-win*/chrome.exe",
    "chromium_headless_shell-*/chrome-*/*headless*shell*",
)
APT_INSTALL = ("apt-get", "install", "-y", "-qq", "--no-install-recommends", "chromium", "fonts-dejavu-core")
PACKAGE_MANAGERS = (
    ("apt-get", (("apt-get", "update", "-qq"), APT_INSTALL)),
    ("dnf", (("dnf", "install", "-y", "-q", "chromium"),)),
    ("zypper", (("zypper", "--non-interactive", "install", "chromium"),)),
    ("pacman", (("pacman", "-Sy", "--noconfirm", "chromium"),)),
    ("apk", (("apk", "add", "chromium"),)),
)
FLAGS = ("--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-sync")
"""What a browser that is driven is started with."""
NONE_FOUND = (
    "No Chromium or Chrome was found and none could be fetched. Install one, or set PALIMPSEST_CHROMIUM to its path; "
    "or leave the browser tests out: make test NO_BROWSER=1"
)


def find_chromium() -> Path | None:
    """Return the first browser that answers `--version`; `PALIMPSEST_CHROMIUM`, if set, is the only candidate."""
    return next((path for path in _candidates() if _answers(path)), None)


def install_chromium() -> Path | None:
    """Fetch a browser and return it, or None if neither way works here."""
    print("Fetching playwright's own Chromium", flush=True)
    _succeeds(sys.executable, "-m", "playwright", "install", "chromium", timeout=600)
    if found := find_chromium():
        return found

    for manager, commands in PACKAGE_MANAGERS:
        if shutil.which(manager) is None:
            continue
        privilege = _privilege()
        if privilege is None:
            print(f"That did not work, and {manager} would ask for a password", flush=True)
            return None
        print(f"That did not work; asking {manager} for a Chromium", flush=True)
        if all(_succeeds(*privilege, *command, timeout=1200) for command in commands):
            return find_chromium()
        return None
    return None


def _candidates() -> Iterator[Path]:
    chosen = os.environ.get("PALIMPSEST_CHROMIUM")
    if chosen:
        yield Path(chosen).expanduser()
        return
    for name in NAMES:
        if found := shutil.which(name):
            yield Path(found)
    for root in (Path("/Applications"), Path.home() / "Applications"):
        for app in MAC_APPS:
            if (root / app).is_file():
                yield root / app
    for pattern in PLAYWRIGHT_BUILDS:
        yield from sorted(_playwright_cache().glob(pattern), reverse=True)


def _playwright_cache() -> Path:
    if chosen := os.environ.get("PLAYWRIGHT_BROWSERS_PATH"):
        return Path(chosen)
    if sys.platform == "darwin":
        return Path.home() / "Library/Caches/ms-playwright"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData/Local")) / "ms-playwright"
    return Path.home() / ".cache/ms-playwright"


def _answers(path: Path) -> bool:
    """A download without the system libraries it needs, or a stand-in that only points to a shop, does not."""
    if sys.platform == "win32":
        return path.is_file()
    try:
        answer = subprocess.run([path, "--version"], stdin=subprocess.DEVNULL, capture_output=True, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return answer.returncode == 0


def _privilege() -> tuple[str, ...] | None:
    if os.geteuid() == 0:
        return ()
    if shutil.which("sudo") and _succeeds("sudo", "-n", "true", timeout=10):
        return ("sudo", "-n")
    return None


def _succeeds(*command: str, timeout: float) -> bool:
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout, env=environment
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def main() -> int:
    """Print the browser's path; exit with 1 and a sentence if there is none."""
    found = find_chromium()
    chosen = os.environ.get("PALIMPSEST_CHROMIUM")
    if found is None and chosen:
        print(f"PALIMPSEST_CHROMIUM is {chosen}, which does not answer --version.", file=sys.stderr)
        return 1
    if found is None and "--install" in sys.argv[1:]:
        found = install_chromium()
    print(found or NONE_FOUND, file=sys.stdout if found else sys.stderr)
    return 0 if found else 1


if __name__ == "__main__":
    sys.exit(main())
