"""Second moments from the terminal: measured, exported, taken over, and where they cannot be written."""

import pytest

from analysis.moments.request import MomentsRequest
from analysis.moments.second_moments import moments
from app.cli import main
from tests.app.test_cli_editing import files
from tests.kit.commands import refused


def test_stats(specs, tiny, tmp_path, monkeypatch, capsys):
    words = ["stats", "--layers", "0,2", "--tokens", "200"]
    assert main([*words, "--out", str(tmp_path / "there")]) == 0
    first = capsys.readouterr().out
    found = moments(tiny, MomentsRequest(layers=(0, 2), tokens=200))
    assert all(one.id in first for one in found.values())
    assert len(first.splitlines()) == 3
    assert files(tmp_path / "there") == {"moments-layer-0.safetensors", "moments-layer-2.safetensors"}

    monkeypatch.setenv("PALIMPSEST_HOME", str(tmp_path / "another home"))
    monkeypatch.setattr("analysis.moments.second_moments.keys", lambda *_: pytest.fail("it measures again"))
    for name in sorted(files(tmp_path / "there")):
        words += ["--import", str(tmp_path / "there" / name)]
    assert main(words) == 0
    assert capsys.readouterr().out == first


def test_stats_that_cannot_be_written(specs, tmp_path, capsys):
    (tmp_path / "file").write_text("x")
    words = ["stats", "--layers", "1", "--tokens", "200", "--out", str(tmp_path / "file")]
    assert "cannot be written" in refused(capsys, *words)
