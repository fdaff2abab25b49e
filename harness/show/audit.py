"""What audits found, for people and programs: a line for each check that failed or could not be made, and a sum."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from harness.analyse.audit import Audit
from harness.core.text import one_line
from harness.show.table import Results, platform_label


def audit_lines(results: Results, audits: Mapping[str, Audit]) -> list[str]:
    """The failed ones first; none where nothing was audited."""
    failed, impossible = list[str](), dict[str, list[str]]()
    whole: Counter[str] = Counter()
    for case, result in results:
        if (audit := audits.get(case.case_id)) is None:
            continue
        label = f"{case.model.short_name} {case.precision} b{case.batch_size}, {platform_label(case, result)}"
        statuses = {check.status for check in audit.checks.values()}
        whole["failed" if "failed" in statuses else "passed" if statuses == {"passed"} else "in part"] += 1
        for name, check in audit.checks.items():
            if check.status == "failed":
                failed.append(one_line(f"SUSPICIOUS: {label}: {name}: {check.reason}"))
            elif check.status == "not_possible":
                impossible.setdefault(one_line(f"{name}: {check.reason}"), []).append(label)
    if not whole:
        return []
    parts = [f"{whole['passed']} of {whole.total()} cases passed every check"]
    parts += [f"{whole['failed']} failed"] if whole["failed"] else []
    parts += [f"{whole['in part']} could not be checked in all"] if whole["in part"] else []
    untold = [one_line(f"not checked: {'; '.join(labels)}: {reason}", 400) for reason, labels in impossible.items()]
    return [*failed, f"audit: {', '.join(parts)}", *untold]


def audits_as_json(audits: Mapping[str, Audit]) -> dict[str, dict[str, Any]]:
    """case_id → check → status, reason, and its numbers: shares, ratios, counts; times in milliseconds."""
    return {
        case_id: {
            name: {"status": check.status, "reason": check.reason, **check.numbers}
            for name, check in audit.checks.items()
        }
        for case_id, audit in audits.items()
    }
