"""What is larger, what belongs together, what comes first: of Cases alone, without looking at results."""

import math
from collections.abc import Iterable, Mapping, Sequence

from harness.core.nouns import Case
from harness.plan.sizes import parameters_of


def group_of(case: Case) -> str:
    """The same for Cases that differ in batch and length alone."""
    return case.model_copy(update={"batch_size": 1, "length": None}).case_id


def same_group(case: Case, other: Case) -> bool:
    """`group_of` in cheap: most pairs differ in what is quickly compared, and a digest takes time."""
    if (case.model.identity, case.backend, case.precision) != (other.model.identity, other.backend, other.precision):
        return False
    return group_of(case) == group_of(other)


def not_smaller(case: Case, other: Case) -> bool:
    """Whether a Case of the same group is at least as large in batch and in length."""
    return case.batch_size >= other.batch_size and (case.length or 0) >= (other.length or 0)


def at_size(case: Case) -> str:
    """`batch 8`, `batch 8, length 128`: what tells it from the others of its group."""
    return f"batch {case.batch_size}" + (f", length {case.length}" if case.length else "")


def work_class(case: Case) -> float:
    """Parameters × batch × length, parameters by powers of ten: models of about one size are measured side by side.

    A model whose parameters nobody knows is taken for small: it is tried, and small.
    """
    parameters = parameters_of(case.model) or 1
    return float(10 ** math.floor(math.log10(max(1, parameters)))) * case.batch_size * (case.length or 1)


def names_of(case: Case) -> set[str]:
    """What a Case answers to in `--priority`: its model, platform, browser and precision, as they can be typed."""
    names = {case.model.name, case.platform, case.hardware, f"{case.platform}:{case.device}", case.precision}
    if case.browser:
        names |= {case.browser, f"{case.browser}@{case.browser_version}" if case.browser_version else case.browser}
    return names


def priority_rank(case: Case, priority: Sequence[str]) -> int:
    """Place of the first name that it answers to; after all of them where it answers to none."""
    names = names_of(case) if priority else set()
    return next((place for place, name in enumerate(priority) if name in names), len(priority))


def stage_numbers(stages: Iterable[Iterable[Case]]) -> Mapping[str, int]:
    """case_id → number of the stage that it is measured in, from 1."""
    return {case.case_id: number for number, stage in enumerate(stages, 1) for case in stage}
