"""The embedded default model, SmolLM2-135M-Instruct, as safetensors in the user's cache.

A manifest, written last, lists every file with its size and hash. The folder is built beside its place and renamed
into it, so what stands there is either whole or left over from a fault, and a fault is found and built anew.
"""

import hashlib
import importlib.metadata
import json
import logging
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from analysis.cache_home import cache_home
from analysis.errors import ModelUnavailable
from analysis.model.embedded_build import WHEEL, WHEEL_SHA256, build_embedded
from analysis.whole_files import replacing

Report = Callable[[int, int, str], None]

EMBEDDED_NAME = "SmolLM2-135M-Instruct"
MANIFEST = "manifest.json"
CONVERTER = 1
"""Raise this when the conversion changes what it writes: folders made by another version are built anew."""
REQUIRED = ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json")
BYTES_WHILE_BUILDING = 900_000_000

log = logging.getLogger(__name__)


def embedded_place() -> Path:
    """The folder of the converted model, whether or not it is there."""
    return cache_home() / "models" / EMBEDDED_NAME


def embedded_ready() -> bool:
    """Whether the converted model is there and whole, so that `embedded_folder` returns at once."""
    return _fault(embedded_place()) is None


def embedded_folder(report: Report | None = None, *, verify: bool = False) -> Path:
    """Return the folder of the converted model, building it if it is absent, broken or half-written.

    `report(done, total, note)` hears of each step; an exception it raises stops the build and leaves nothing behind.
    `verify` reads every byte again instead of trusting sizes and times. Two processes never build at once: the second
    waits for the first. Raises `ModelUnavailable` when the model can be neither fetched nor written.
    """
    report = report or _silent
    place = embedded_place()
    if _fault(place, verify=verify) is None:
        return place
    with _disk_faults(place.parent):
        place.parent.mkdir(parents=True, exist_ok=True)
        with _one_builder(place, report):
            fault = _fault(place, verify=verify)
            if fault is not None:
                log.info("building %s: %s", EMBEDDED_NAME, fault)
                _build_into(place, report)
    return place


def _build_into(place: Path, report: Report) -> None:
    for left_over in place.parent.glob(f".{place.name}-*"):
        shutil.rmtree(left_over, ignore_errors=True)
    free = shutil.disk_usage(place.parent).free
    if free < BYTES_WHILE_BUILDING:
        raise ModelUnavailable(
            f"The embedded model needs {BYTES_WHILE_BUILDING // 10**6} MB of disk while it is converted, and "
            f"{place.parent} has {free // 10**6} MB free. Make room, or set PALIMPSEST_HOME to a folder elsewhere."
        )
    with tempfile.TemporaryDirectory(prefix=f".{place.name}-", dir=place.parent, ignore_cleanup_errors=True) as work:
        fresh = Path(work) / "model"
        fresh.mkdir()
        build_embedded(fresh, Path(work), report)
        report(98, 100, "Checking the converted files")
        _write_manifest(fresh)
        if place.exists():
            place.rename(Path(work) / "broken")
        fresh.rename(place)
    report(100, 100, f"{EMBEDDED_NAME} is ready")


def _write_manifest(folder: Path) -> None:
    files = {}
    for path in sorted(folder.iterdir()):
        path.chmod(0o644)  # safetensors writes for its owner alone; a cache may be shared
        state = path.stat()
        files[path.name] = {"bytes": state.st_size, "sha256": _sha256(path), "mtime_ns": state.st_mtime_ns}
    packages = ("transformers", "torch", "gguf")
    manifest = {
        "model": EMBEDDED_NAME,
        "wheel": WHEEL,
        "wheel_sha256": WHEEL_SHA256,
        "converter": CONVERTER,
        "made_with": {package: importlib.metadata.version(package) for package in packages},
        "files": files,
    }
    _replace_text(folder / MANIFEST, json.dumps(manifest, indent=1) + "\n")


def _fault(folder: Path, *, verify: bool = False) -> str | None:
    """What is wrong with the folder, or None. A file is read only if `verify` is set or its time has changed.

    `ModelUnavailable` where the system does not let it be read now: that is no fault of the folder.
    """
    try:
        manifest = json.loads((folder / MANIFEST).read_text("utf-8"))
        made_by = manifest["converter"], manifest["wheel_sha256"]
        files = {
            name: (int(entry["bytes"]), str(entry["sha256"]), int(entry["mtime_ns"]))
            for name, entry in manifest["files"].items()
        }
    except (FileNotFoundError, NotADirectoryError):
        return f"{MANIFEST} is missing"
    except OSError as error:
        raise _unreadable(folder, error) from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return f"{MANIFEST} cannot be read"
    if made_by != (CONVERTER, WHEEL_SHA256):
        return "another version made it"
    if unlisted := sorted(set(REQUIRED) - files.keys()):
        return f"{MANIFEST} does not list {', '.join(unlisted)}"

    moved = False
    for name, (size, digest, time) in files.items():
        path = folder / name
        try:
            state = path.stat()
            if state.st_size != size:
                return f"{name} has {state.st_size} bytes instead of {size}"
            moved = moved or state.st_mtime_ns != time
            if (verify or state.st_mtime_ns != time) and _sha256(path) != digest:
                return f"{name} does not have the hash that was written down for it"
        except FileNotFoundError:
            return f"{name} is missing"
        except OSError as error:
            raise _unreadable(folder, error) from error
    if moved:
        # Copied from elsewhere, and whole: the next look need not read half a gigabyte again.
        with suppress(OSError):
            for name, entry in manifest["files"].items():
                entry["mtime_ns"] = (folder / name).stat().st_mtime_ns
            _replace_text(folder / MANIFEST, json.dumps(manifest, indent=1) + "\n")
    return None


def _unreadable(folder: Path, error: OSError) -> ModelUnavailable:
    told = f"The embedded model in {folder} cannot be read now ({error.strerror or error}). It was left as it was; "
    return ModelUnavailable(told + "try again, or set PALIMPSEST_HOME to another folder.")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _replace_text(path: Path, text: str) -> None:
    with replacing(path) as new:
        new.write_text(text, "utf-8")


@contextmanager
def _one_builder(place: Path, report: Report) -> Iterator[None]:
    """Hold the build lock. The system drops it with its holder, so a killed build never blocks the next."""
    lock = FileLock(place.parent / f"{place.name}.lock")
    while True:
        try:
            lock.acquire(timeout=0.5)
            break
        except Timeout:
            report(0, 100, f"Another process is preparing {EMBEDDED_NAME}")
    try:
        yield
    finally:
        lock.release()


@contextmanager
def _disk_faults(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ModelUnavailable(
            f"The embedded model cannot be written to {folder} ({error.strerror or error}). "
            "Make the folder writable, or set PALIMPSEST_HOME to one that is."
        ) from error


def _silent(done: int, total: int, note: str) -> None:
    pass
