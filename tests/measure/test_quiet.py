"""Noise is found from numbers, purely; and the numbers are really read from this machine."""

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from harness.measure.host import cpu_quota_cores
from harness.measure.quiet import Heavy, OtherRun, Readings, can_pass, findings_of, quiet_of
from harness.measure.quiet_readings import Moment, counters, measures, moment, over, readings_between, readings_over

GB = 1_000_000_000
QUIET = Readings(
    window_s=1.0, cores=8, load_average_1m=6.0, load_per_core=0.75, others_cores=0.1,
    heavy=(Heavy(name="editor", pid=7, cores=0.1),), steal_share=0.001, on_battery=False, governors=("performance",),
    turbo=True, throttle_events=0, frequency_cap_share=1.0, cpu_quota_cores=8.0, memory_total_bytes=16 * GB,
    memory_available_bytes=9 * GB, swap_used_bytes=GB, swap_in_bytes=0, swap_out_bytes=4096,
)  # fmt: skip
TWO = (("cc1plus", 0.52), ("chrome", 0.35))
BUSY = "import sys\nprint('busy', flush=True)\nwhile True: pass"


@pytest.mark.parametrize(
    ("changes", "code", "words"),
    [
        (
            {"others_cores": 0.87, "heavy": tuple(Heavy(name=name, pid=1, cores=share) for name, share in TWO)},
            "other_processes", "other processes use 87 % of a core: cc1plus 52 %, chrome 35 %",
        ),
        (
            {"others_cores": 1.5, "heavy": tuple(Heavy(name="cc1", pid=pid, cores=0.75) for pid in (1, 2))},
            "other_processes", "other processes use 150 % of a core: cc1 (×2) 150 %",
        ),
        (
            {"others_cores": 1.0, "heavy": (Heavy(name="small", pid=1, cores=0.01),)},
            "other_processes", "other processes use 100 % of a core: 99 % by what cannot be seen from here",
        ),
        (
            {"other_runs": (OtherRun(pid=9, command="harness run"),)},
            "another_run", "another harness measures at the same time: harness run (pid 9)",
        ),
        ({"steal_share": 0.034}, "steal", "the host of this virtual machine took 3.4 % of its CPU"),
        ({"on_battery": True}, "on_battery", "on battery: the processor may be held back"),
        (
            {"governors": ("performance", "powersave")},
            "governor", "the CPU governor is powersave: the clock follows the load",
        ),
        ({"governors": ("schedutil",)}, "governor", "the CPU governor is schedutil: the clock follows the load"),
        ({"throttle_events": 3}, "throttled", "the processor throttled itself 3 times, from heat"),
        ({"frequency_cap_share": 0.6}, "frequency_cap", "the clock is capped at 60 % of the processor's maximum"),
        (
            {"cpu_quota_cores": 1.5},
            "cpu_quota", "a CPU quota of 1.5 of 8 cores: threads are stopped when it is used up",
        ),
        (
            {"memory_available_bytes": GB},
            "low_memory", "only 1000 of 16000 MB of memory are available, 1000 MB are swapped out",
        ),
        ({"swap_in_bytes": 3_000_000}, "swapping", "3 MB went to or from swap in 1 s"),
    ],
)  # fmt: skip
def test_each_disturbance_has_a_code_and_a_sentence(changes: dict[str, Any], code: str, words: str) -> None:
    assert findings_of(QUIET) == []
    assert findings_of(QUIET.model_copy(update=changes)) == [{"code": code, "text": words}]


def test_what_the_system_does_not_tell_is_no_finding() -> None:
    assert findings_of(Readings(window_s=1.0)) == []


def test_load_left_by_our_own_exporting_is_no_finding() -> None:
    assert findings_of(QUIET.model_copy(update={"load_average_1m": 99.0, "load_per_core": 12.0})) == []


def test_waiting_mends_other_processes_but_no_governor() -> None:
    passing = findings_of(QUIET.model_copy(update={"others_cores": 2.0}))
    lasting = findings_of(QUIET.model_copy(update={"others_cores": 2.0, "governors": ("powersave",)}))
    assert can_pass(passing)
    assert not can_pass(lasting)


def test_off_is_stored_as_not_looked() -> None:
    assert quiet_of("off", None, None) == {
        "policy": "off", "findings": [], "readings": None, "counters": None, "end": None,
    }  # fmt: skip


def test_the_readings_of_this_machine_are_plausible() -> None:
    begin = moment(os.getpid())
    time.sleep(0.2)
    found = readings_between(begin, moment(os.getpid()))
    assert found.window_s >= 0.2
    assert found.cores == psutil.cpu_count()
    assert found.others_cores is not None and 0 <= found.others_cores <= (found.cores or 1) * 1.5
    assert found.memory_total_bytes and found.memory_available_bytes
    assert 0 < found.memory_available_bytes <= found.memory_total_bytes
    assert found.steal_share is None or 0 <= found.steal_share <= 1
    assert found.frequency_cap_share is None or 0 < found.frequency_cap_share <= 1.01
    assert found.cpu_quota_cores is None or found.cpu_quota_cores > 0
    if sys.platform == "linux":
        assert found.load_average_1m is not None and found.steal_share is not None
    assert Readings.model_validate_json(found.model_dump_json()) == found


def _share_of(pid: int, root_pid: int) -> tuple[Readings, list[Heavy]]:
    begin = moment(root_pid)
    time.sleep(0.5)
    found = readings_between(begin, moment(root_pid))
    return found, [each for each in found.heavy if each.pid == pid]


def test_a_busy_process_is_seen_and_named_unless_it_is_ours() -> None:
    """The same busy process: a stranger to a root that it does not descend from, ours to one that it does."""
    with (
        subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as root,
        subprocess.Popen([sys.executable, "-c", BUSY], stdout=subprocess.PIPE) as busy,
    ):
        try:
            assert busy.stdout is not None and busy.stdout.readline() == b"busy\n"
            found, named = _share_of(busy.pid, root.pid)
            assert len(named) == 1 and named[0].cores > 0
            assert found.others_cores is not None and found.others_cores >= named[0].cores
            assert named[0].name == psutil.Process(busy.pid).name()
            assert _share_of(busy.pid, os.getpid())[1] == []
        finally:
            busy.kill()
            root.kill()


@pytest.mark.parametrize(
    ("words", "command"),
    [
        (("/opt/venv/bin/python", "/opt/venv/bin/harness", "run", "--model", "bert"), "harness run"),
        (("python3.11", "-X", "dev", "-m", "harness", "run"), "harness run"),
        (("harness.exe", "demo"), "harness demo"),
        (("harness", "anomalies", "--rerun"), "harness anomalies"),
        (("harness", "anomalies"), None),
        (("python", "-m", "harness", "query", "SELECT 'run'"), None),
        (("sh", "-c", "harness run --model bert"), None),
        (("vim", "harness", "run"), None),
        (("python", "-m", "harness"), None),
        (("python", "-c", "pass", "harness", "run"), None),
        ((), None),
    ],
)
def test_another_run_is_known_by_its_command_line(words: tuple[str, ...], command: str | None) -> None:
    assert measures(words) == command


def test_another_run_on_this_machine_is_found(tmp_path: Path) -> None:
    """A stand-in with a run's command line; the reading is of real processes."""
    script = tmp_path / "harness"
    script.write_text("input()\n")
    with subprocess.Popen([sys.executable, str(script), "run"], stdin=subprocess.PIPE) as other:
        try:
            now = moment(-1)
            found = readings_between(now, now)
            assert [run.command for run in found.other_runs if run.pid == other.pid] == ["harness run"]
            ours = moment(os.getpid())
            assert other.pid not in [run.pid for run in readings_between(ours, ours).other_runs]
        finally:
            other.kill()


def test_counters_give_the_noise_of_a_whole_run_and_a_restart_gives_nulls() -> None:
    begin: dict[str, Any] = {"at_s": 100.0, "cpu_total_s": 1000.0, "cpu_steal_s": 10.0, "throttle_events": 5}
    begin |= {"swap_in_bytes": 0, "swap_out_bytes": None}
    later = {**begin, "at_s": 160.0, "cpu_total_s": 1120.0, "cpu_steal_s": 13.0, "throttle_events": 7}
    found = readings_over(begin, {**later, "swap_in_bytes": 900_000_000})
    assert [each["code"] for each in findings_of(found)] == ["steal", "throttled", "swapping"]
    assert (found.steal_share, found.throttle_events, found.swap_out_bytes) == (3 / 120, 2, None)
    assert over(later, begin)["steal_share"] is None
    now = counters()
    assert now["cpu_total_s"] >= now["cpu_busy_s"] > 0


def test_a_process_that_ends_or_begins_in_between_breaks_nothing() -> None:
    begin = moment(os.getpid())
    subprocess.run([sys.executable, "-c", "pass"], check=True)
    gone = Moment(begin.at_s - 1, begin.wall_s - 1, {}, begin.before, begin.before)
    assert readings_between(gone, begin).window_s == pytest.approx(1)
    assert readings_between(begin, Moment(begin.at_s + 1, begin.wall_s + 1, {}, begin.after, begin.after)).heavy == ()


@pytest.mark.parametrize(
    ("files", "cores"),
    [
        ({"proc/self/cgroup": "0::/box/inner\n", "sys/fs/cgroup/box/cpu.max": "150000 100000\n"}, 1.5),
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "50000 100000"}, 0.5),
        ({"proc/self/cgroup": "0::/gone\n", "sys/fs/cgroup/cpu.max": "max 100000"}, None),
        (
            {
                "proc/self/cgroup": "4:memory:/x\n3:cpu,cpuacct:/box\n0::/\n",
                "sys/fs/cgroup/cpu,cpuacct/box/cpu.cfs_quota_us": "200000",
                "sys/fs/cgroup/cpu,cpuacct/box/cpu.cfs_period_us": "100000",
                "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "-1",
                "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000",
            },
            2.0,
        ),
        ({}, None),
    ],
)
def test_the_quota_of_a_container(tmp_path: Path, files: dict[str, str], cores: float | None) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert cpu_quota_cores(tmp_path) == cores
