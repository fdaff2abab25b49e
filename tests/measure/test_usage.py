"""What processes use: a busy child is seen to be busy, a waiting one is not; counters of energy are read aright."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from harness.measure import energy
from harness.measure.energy import Energy, EnergyCounter, energy_counters, nvml_counters
from harness.measure.usage import usage_since

_BUSY_PARENT = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "while True: pass"])
print("begun", flush=True)
sys.stdin.readline()
child.kill()
"""


def cores_of(script: str) -> float:
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdin and child.stdout and child.stdout.readline() == "begun\n"
        so_far = usage_since(child.pid)
        time.sleep(1)
        used = so_far()
        child.stdin.write("\n")
    assert used["wall_ns"] >= 1_000_000_000
    return float(used["cpu_cores"])


def test_the_work_of_descendants_counts_and_waiting_does_not() -> None:
    """One process that spins beside one that waits: about a core, unless the machine has none to spare."""
    waiting = cores_of("print('begun', flush=True); import sys; sys.stdin.readline()")
    busy = cores_of(_BUSY_PARENT)
    assert waiting < 0.2 < busy < 1.2


def test_of_a_process_that_is_gone_nothing_is_told() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as child:
        so_far = usage_since(child.pid)
    assert so_far().keys() == {"wall_ns"}


def test_a_counter_that_fails_is_left_out_and_takes_nothing_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    readings = iter([5.0, 7.0])

    def lost() -> float:
        raise OSError("the GPU is lost")

    counters = (EnergyCounter("whole", lambda: next(readings)), EnergyCounter("lost", lost))
    monkeypatch.setattr("harness.measure.usage.energy_counters", lambda: Energy(counters, ()))
    assert usage_since(os.getpid())()["energy_joules"] == {"whole": 2.0}


def test_this_machine_says_why_it_counts_no_energy_or_counts_some() -> None:
    found = energy_counters()
    assert found.counters or found.reasons
    for counter in found.counters:
        assert counter.joules() > 0


def zone(root: Path, name: str, label: str, microjoules: int) -> None:
    (root / name).mkdir(parents=True)
    for file, text in (("name", label), ("energy_uj", str(microjoules)), ("max_energy_range_uj", "10000000")):
        (root / name / file).write_text(f"{text}\n")


def test_packages_are_read_and_their_parts_are_not_added(tmp_path: Path) -> None:
    """A made-up powercap: two packages, a part of one, the whole board."""
    zone(tmp_path, "intel-rapl:0", "package-0", 4_000_000)
    zone(tmp_path, "intel-rapl:0:0", "core", 3_000_000)
    zone(tmp_path, "intel-rapl:1", "package-1", 9_500_000)
    zone(tmp_path, "intel-rapl:2", "psys", 99_000_000)
    counters, reason = energy._rapl(tmp_path)
    assert reason is None
    assert [(counter.name, counter.joules()) for counter in counters] == [
        ("rapl package-0", 4.0),
        ("rapl package-1", 9.5),
    ]
    (tmp_path / "intel-rapl:1" / "energy_uj").write_text("500000")
    assert counters[1].since(9.5) == pytest.approx(1.0), "it counts to ten joules and begins anew"


def test_without_packages_the_reason_names_the_place(tmp_path: Path) -> None:
    assert str(tmp_path / "none") in (energy._rapl(tmp_path / "none")[1] or "")
    assert "no CPU package" in (energy._rapl(tmp_path)[1] or "")


def test_a_gpu_that_does_not_count_is_left_out() -> None:
    """A stand-in for NVML's binding: there is no such GPU here."""

    class Refused(Exception):
        pass

    class Binding:
        NVMLError = Refused

        @staticmethod
        def nvmlDeviceGetTotalEnergyConsumption(handle: str) -> int:
            if handle == "old":
                raise Refused
            return 1500

    (counter,) = nvml_counters(Binding, ["old", "new"])
    assert (counter.name, counter.joules()) == ("nvml gpu 1", 1.5)


def test_a_counter_that_never_begins_anew_may_stand_still() -> None:
    assert EnergyCounter("still", lambda: 2.0).since(2.0) == 0
