"""What disturbed the measurement, in a line each: found before the first Round, and over the whole run."""

from collections.abc import Mapping
from typing import Any


def noise_lines(machine: Mapping[str, Any]) -> list[str]:
    """No lines on a quiet machine, nor where nobody looked (`--quiet off`, or a run of an older harness)."""
    lines = []
    for quiet in (*(machine.get("quiet_before") or []), machine.get("quiet") or {}):  # a resumed run's sittings
        found = {
            "noisy machine": quiet.get("findings") or [],
            "noise during the run": (quiet.get("end") or {}).get("findings") or [],
        }
        lines += [f"{title}: {'; '.join(each['text'] for each in some)}" for title, some in found.items() if some]
    return list(dict.fromkeys(lines))


def was_quiet(machine: Mapping[str, Any]) -> bool | None:
    """Whether nothing disturbed; None where nobody looked."""
    policies = [(quiet or {}).get("policy") for quiet in (*(machine.get("quiet_before") or []), machine.get("quiet"))]
    return None if any(policy in (None, "off") for policy in policies) else not noise_lines(machine)
