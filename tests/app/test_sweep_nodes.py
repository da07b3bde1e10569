"""A sweep on a cluster of several machines when one of them is lost, or its network parted: real nodes of Ray."""

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from analysis import ModelSpec, load
from app.jobs.store import ResultStore
from app.registry.studies import STUDIES
from app.sweeps.plan import planned
from app.sweeps.ray_engine import RayEngine
from app.sweeps.sweep import InProcess, sweep
from tests.kit.sweeps import CASES, FIELDS, folder, numbers, same

__all__ = ["folder"]
LOOKS = {"health_check_initial_delay_ms": 1000, "health_check_period_ms": 500, "health_check_timeout_ms": 1000,
         "health_check_failure_threshold": 3}  # fmt: skip
"""How soon a node that says nothing counts as lost."""


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A head without room for workers, and two nodes with room for one each."""
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    from ray.cluster_utils import Cluster

    store = {"object_store_memory": 100 << 20, "include_dashboard": False}
    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "_system_config": LOOKS, **store})
    made.nodes = [made.add_node(num_cpus=1, **store) for _ in range(2)]
    made.more = lambda: made.add_node(num_cpus=1, **store)
    yield made
    made.shutdown()


def raylet(node: Any) -> psutil.Process:
    (found,) = node.all_processes["raylet"]
    return psutil.Process(found.process.pid)


def killed(node: Any) -> None:
    """The machine is gone: its raylet and all it began, at once."""
    head = raylet(node)
    for one in (head, *head.children(recursive=True)):
        one.kill()


def parted(node: Any) -> None:
    """Nothing comes from the machine any more, and nothing reaches it; its processes live."""
    head = raylet(node)
    for one in (*head.children(recursive=True), head):
        os.kill(one.pid, signal.SIGSTOP)


@pytest.mark.parametrize("fault", [killed, parted])
def test_a_node_that_is_lost_leaves_its_requests_to_the_others(
    fault: Callable[[Any], None], cluster: Any, folder: Path, tmp_path: Path
) -> None:
    study, spec = STUDIES["evaluate"], ModelSpec(source=str(folder))
    units, _ = planned(study, CASES, FIELDS, [])
    here, there = ResultStore(tmp_path / "here"), ResultStore(tmp_path / "there")
    keys = sweep(study, units, InProcess(load(spec)), here).keys
    done: list[int] = []

    def lose(*_: Any, **__: Any) -> None:
        if len(list(there.root.glob("*/result.json"))) == 2 and not done:
            done.append(fault(cluster.nodes[0]) or 1)

    with RayEngine(spec, workers=2, address=cluster.address) as engine:
        try:
            swept = sweep(study, units, engine, there, lose)
            assert (swept.computed, swept.refused, done) == (len(units), {}, [1])
            assert sweep(study, units, engine, there).found == len(units)
            cluster.more()
            more, _ = planned(study, CASES[:2], FIELDS | {"words": 3}, [])
            assert sweep(study, more, engine, there).computed == len(more)
        finally:
            if fault is parted:
                killed(cluster.nodes[0])
    assert same(numbers("evaluate", keys, here), numbers("evaluate", keys, there))
