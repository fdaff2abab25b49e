"""SELECTION → Plan, and how a verb that carries one out ends; shared by the verbs that do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harness.cli.options import absolute, given
from harness.cli.seeing import once
from harness.execute.seeing import NOBODY, Seeing

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from harness.core.nouns import PlanPurpose
    from harness.pipeline import Outcome
    from harness.plan.incremental import Reuse
    from harness.plan.selection import Selection


def select(
    spec: Path | None, options: dict[str, Any], seeing: Seeing = NOBODY, defaults: Mapping[str, Any] | None = None
) -> Selection:
    """What was asked for: the verb's own defaults, overridden by the spec file, overridden by the flags."""
    from harness.plan.selection import make_selection, read_spec

    asked = {**(defaults or {}), **(read_spec(spec) if spec else {}), **given(options)}
    return make_selection(None, once(seeing, asked))


def plan_of(selection: Selection, db: Path, seeing: Seeing = NOBODY, purpose: PlanPurpose = "timing") -> Reuse:
    """The Plan, in which what is known already is named where the selection asks for that."""
    from harness.export.process import inspect_model
    from harness.plan.cases import make_plan
    from harness.steps.reusing import reuse_known

    plan = make_plan(selection, inspect_model, published, purpose)
    return reuse_known(plan, selection, absolute(db), seeing)


def exit_code(outcome: Outcome) -> int:
    """1 where a Case failed, or an audit of one; what is unsupported is an answer."""
    from harness.analyse.audit import audits_of

    failed = any(result.outcome == "failed" for _, result in outcome.results)
    return 1 if failed or any(audit.failed for audit in audits_of(outcome.rounds).values()) else 0


def published(package: str) -> Sequence[str] | None:
    """Asked only where somebody asks for a version: a native sweep imports nothing that only browsers need."""
    from harness.execute.published import versions_of

    return versions_of(package)
