"""Commands on a disk that misbehaves: the result all the same, and one sentence."""

import errno

import pytest

from analysis.cache_home import cache_home
from app.cli import main
from app.jobs.store import ResultStore
from tests.kit.commands import specs  # noqa: F401 - a fixture
from tests.kit.faults import AT_FAULT, disk_fails, fault

LENS = ("lens", "--prompt", "the old tower of Aldra")


def told(capsys: pytest.CaptureFixture, caplog: pytest.LogCaptureFixture) -> tuple[str, list[str]]:
    out, _ = capsys.readouterr()
    said = [record.getMessage() for record in caplog.records if record.name.startswith(("app", "analysis"))]
    caplog.clear()
    return out, said


@pytest.fixture
def plain(specs, capsys, caplog) -> str:  # noqa: F811
    assert main(LENS) == 0
    out, said = told(capsys, caplog)
    assert said == []
    return out


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EIO])
def test_a_disk_that_takes_nothing(plain, capsys, caplog, number):
    with disk_fails(cache_home(), number, reading=False):
        assert main([*LENS, "--fresh"]) == 0
    out, said = told(capsys, caplog)
    assert out == plain
    assert len(said) == 1
    assert said[0].startswith("What you do now is not kept")


def test_a_passing_fault_while_reading(plain, capsys, caplog):
    with disk_fails(cache_home(), errno.EMFILE, writing=False):
        assert main(LENS) == 0
    out, said = told(capsys, caplog)
    assert out == plain
    assert said[0].startswith("What is stored cannot be read now")


@pytest.mark.parametrize("damage", AT_FAULT)
def test_a_stored_result_that_is_broken(plain, capsys, caplog, damage):
    for place in ResultStore().root.glob("*/result.json"):
        place.write_bytes(AT_FAULT[damage](place.read_bytes()))
    assert main(LENS) == 0
    out, said = told(capsys, caplog)
    assert out == plain
    assert len(said) == 1
    assert "is no whole result" in said[0]
    assert main(LENS) == 0
    assert told(capsys, caplog) == (plain, [])


def test_a_disk_that_fails_where_nothing_can_go_on_is_a_sentence(specs, capsys, tmp_path, monkeypatch):  # noqa: F811
    def fails(*_: object, **__: object) -> None:
        raise fault(errno.ENOSPC, tmp_path / "there")

    monkeypatch.setattr("analysis.whole_files.settle", fails)
    assert main([*LENS, "--json", str(tmp_path / "out.json")]) == 2
    assert "No space left" in capsys.readouterr().err
    monkeypatch.setattr(ResultStore, "keep", fails)
    assert main([*LENS, "--fresh"]) == 2
    assert capsys.readouterr().err.endswith("there: No space left on device. Nothing whole was changed.\n")
