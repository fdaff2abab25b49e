"""High-water marks of a process tree: they stay when memory is given back, and begin anew when they are told to."""

import subprocess
import sys

import pytest

from harness.measure.host import memory_of_tree, reset_peaks_of_tree

_MANY = 200_000_000
_SCRIPT = f"""
import sys
held = bytearray({_MANY})
print("held", flush=True)
sys.stdin.readline()
del held
print("given back", flush=True)
sys.stdin.readline()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="no other system lets a high-water mark begin anew")
def test_marks_begin_anew() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", _SCRIPT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdin and child.stdout
        assert child.stdout.readline() == "held\n"
        child.stdin.write("\n")
        child.stdin.flush()
        assert child.stdout.readline() == "given back\n"
        before = memory_of_tree(child.pid)["tree_hwm_rss"]
        assert reset_peaks_of_tree(child.pid)
        after = memory_of_tree(child.pid)["tree_hwm_rss"]
        child.stdin.write("\n")
        child.stdin.flush()
    assert before > _MANY > after


def test_of_a_process_that_is_gone_nothing_begins_anew() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as child:
        child.wait()
    assert not reset_peaks_of_tree(child.pid)
