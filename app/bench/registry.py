"""The benchmarks by name: those that studies name in their entries, then those of no one study."""

from analysis.declared import resolved
from app.bench.entry import Benchmark
from app.registry.studies import ENTRIES

OF_NO_STUDY = (
    "app.bench.exports:BENCH",
    "app.bench.families:BENCH",
    "app.bench.locality.run:BENCH",
    "app.bench.loading:BENCH",
    "app.bench.device:BENCH",
    "app.bench.examples:BENCH",
    "app.bench.server.run:BENCH",
    "app.bench.ui:BENCH",
)


def benches() -> dict[str, Benchmark]:
    """All of them; a benchmark of several studies stands once."""
    of_studies = [entry.read("bench") for entry in ENTRIES.values() if entry.bench]
    return {one.name: one for one in (*of_studies, *map(resolved, OF_NO_STUDY))}
