"""The device benchmark: a tiny shape held against its twin on the processor, every figure there."""

import math

import torch

from app.bench.device import METHODS, DeviceOptions, device
from app.bench.models.random_model import random_model, twin_of
from app.cli.bench import _texts


def test_the_same_weights_say_the_same_and_come_back(monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("PALIMPSEST_HOME", str(tmp_path))
    lm = random_model("qwen3-tiny", torch.device("cpu"), torch.bfloat16, _texts())
    bench = device(lm, DeviceOptions(quick=True, twin=lambda: twin_of(lm, "qwen3-tiny", _texts())))
    figures = {figure.name: figure.value for figure in bench.figures}
    assert not bench.model.get("refused")
    assert all(math.isfinite(value) for value in figures.values())
    for study in ("trace", "lens", "neurons", "heads"):
        assert figures[f"{study}.finite"] == 100
        assert figures[f"{study}.seconds"] > 0
        assert figures[f"{study}.difference"] < 0.2  # bfloat16 keeps three digits
    assert figures["trace.against_full_forwards"] < 0.05
    for method in METHODS:
        assert figures[f"edit.{method}.matrices_not_as_before"] == 0
        assert f"edit.{method}.difference" in figures
    assert figures["trace.share_of_peak"] > 0
    assert bench.machine["matmul_peak_gflops"] > 0
