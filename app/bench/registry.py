"""The benchmarks by name. A new one is one line here."""

from collections.abc import Callable

from app.bench.conflict import bench_conflict
from app.bench.device import device
from app.bench.drift import attention
from app.bench.editing import editing
from app.bench.evaluate import evaluate_bench
from app.bench.examples import examples
from app.bench.exports import exports
from app.bench.families import families
from app.bench.form import Bench
from app.bench.loading import loading
from app.bench.neurons import neurons_bench
from app.bench.server import server
from app.bench.tracing import tracing
from app.bench.ui import ui

BENCHES: dict[str, Callable[..., Bench]] = {
    "tracing": tracing,
    "editing": editing,
    "drift": attention,
    "conflict": bench_conflict,
    "neurons": neurons_bench,
    "evaluate": evaluate_bench,
    "exports": exports,
    "families": families,
    "loading": loading,
    "device": device,
    "examples": examples,
    "server": server,
    "ui": ui,
}
