"""What a model would take: the same as where torch is, told by a process that reads none."""

import subprocess
import sys
from pathlib import Path

import analysis
from analysis import ModelSpec, WorkbenchError
from app.jobs.processes.planned import planned
from tests.kit.saved_models import saved  # noqa: F401

ASKED = """
import sys
from analysis import ModelSpec, WorkbenchError
from app.jobs.processes.planned import planned

if __name__ == "__main__":
    for source in sys.argv[1:]:
        try:
            found = planned(ModelSpec(source=source))
            print(found.name, found.parameters, found.bytes_needed)
        except WorkbenchError as error:
            print(error)
    print("torch" in sys.modules)
"""


def test_a_process_without_torch_is_told_the_same_and_reads_none(saved: Path, tmp_path: Path) -> None:  # noqa: F811
    nowhere = str(tmp_path / "nowhere")
    script = tmp_path / "asked.py"
    script.write_text(ASKED)
    place = Path(analysis.__file__).parents[1]
    told = subprocess.run(
        [sys.executable, script, str(saved), nowhere], capture_output=True, text=True, check=True, timeout=240,
        env={"PYTHONPATH": str(place), "PATH": "", "HOME": str(tmp_path)},
    ).stdout.splitlines()  # fmt: skip
    plan = analysis.plan(ModelSpec(source=str(saved)))
    assert told[0] == f"{plan.name} {plan.parameters} {plan.bytes_needed}"
    try:
        analysis.plan(ModelSpec(source=nowhere))
    except WorkbenchError as error:
        assert told[1] == str(error)
    assert told[2] == "False"


def test_where_torch_is_it_is_worked_out_in_place(saved: Path) -> None:  # noqa: F811
    assert planned(ModelSpec(source=str(saved))).parameters == analysis.plan(ModelSpec(source=str(saved))).parameters
