"""How to measure: CPUs, priority, schedules and precisions become Cases and a Policy, or a mistake with a hint."""

from typing import Any

import psutil
import pytest

from harness import catalog
from harness.core.errors import UserMistake
from harness.core.nouns import Plan, Policy
from harness.plan.cases import SEARCHED_BATCHES, cpus_here, default_threads, make_plan, why_not
from harness.plan.order import names_of
from harness.plan.selection import as_toml, make_selection, parse_spec
from tests.plan.test_plan import lookup

HERE = cpus_here()
ABSENT = max(HERE) + 1


def plan(**flags: Any) -> Plan:
    return make_plan(make_selection(None, {"model": "bert", "scale": "tiny", "hardware": ("noop",), **flags}), lookup)


@pytest.mark.parametrize(
    ("typed", "expected"),
    [("0", (0,)), ("0,2", (0, 2)), ("0-3", (0, 1, 2, 3)), ("2,0-1,1", (0, 1, 2)), ([0, 2], (0, 2)), (3, (3,))],
)
def test_cpus_are_numbers_and_ranges(typed: Any, expected: tuple[int, ...]) -> None:
    assert make_selection(None, {"model": "bert", "affinity": typed}).affinity == expected


@pytest.mark.parametrize("typed", ["", "x", "-1", "3-1", "0-99999", "1.5", "0;1", "٣", "0-", ",", "0" * 30])
def test_what_is_no_cpu_is_a_mistake(typed: str) -> None:
    with pytest.raises(UserMistake) as caught:
        make_selection(None, {"model": "bert", "affinity": typed})
    assert caught.value.code == "bad_affinity" and "0-3" in str(caught.value.hint)


@pytest.mark.parametrize("given", [True, [True], 1.5, [-1], [5000], {"a": 1}, [[0]]])
def test_a_specs_affinity_is_strict(given: Any) -> None:
    with pytest.raises(UserMistake) as caught:
        make_selection(None, {"model": "bert", "affinity": given})
    assert caught.value.code == "bad_value"


def test_a_cpu_that_is_not_there_is_a_mistake() -> None:
    with pytest.raises(UserMistake, match=f"CPU {ABSENT} is not there") as caught:
        plan(affinity=str(ABSENT))
    assert caught.value.code == "unknown_cpu"


def test_threads_are_no_more_than_the_cpus_unless_typed() -> None:
    (one,) = plan(affinity=str(HERE[0])).cases
    assert (one.case.affinity, one.case.threads) == ((HERE[0],), 1)
    (typed,) = plan(affinity=str(HERE[0]), threads=3).cases
    assert (typed.case.threads, typed.outcome) == (3, None), "it is allowed; its result says so"
    assert plan().cases[0].case.threads == default_threads()


def test_pages_choose_their_own_cpus() -> None:
    for browser in ("chromium", "attached"):
        (page,) = plan(hardware=("noop_web",), browser=(browser,), affinity=str(HERE[0])).cases
        assert page.outcome == "unsupported" and "--affinity is for native backends" in str(page.reason)


def test_names_of_the_web_are_ours() -> None:
    spelled = {point.case.case_id for point in plan(precision=("q4", "int4")).cases}
    assert len(spelled) == 1
    assert plan(precision=("float32",)).cases[0].case.precision == "fp32"
    with pytest.raises(UserMistake) as caught:
        plan(precision=("int44",))
    assert caught.value.code == "unknown_precision" and "int4" in str(caught.value.hint)


def test_a_backend_refuses_a_precision_in_its_own_words() -> None:
    case = plan(precision=("int8",)).cases[0].case
    backend = catalog.backends()["noop"]
    assert why_not(case, backend) == "noop offers fp32 here, not int8"
    assert why_not(case, backend.model_copy(update={"refuses": {"int8": "no numbers here"}})) == "no numbers here"


def test_priority_takes_names_that_cases_answer_to() -> None:
    found = plan(hardware=("noop", "faulty"), precision=("fp32", "int4"), priority=("faulty", "q4"))
    assert found.policy.priority == ("faulty", "int4")
    with pytest.raises(UserMistake) as caught:
        plan(hardware=("noop", "faulty"), priority=("falty",))
    assert caught.value.code == "unknown_priority" and "faulty" in str(caught.value.hint)
    page = plan(hardware=("webnn:gpu",), browser=("firefox",)).cases[0].case
    assert names_of(page) >= {"bert", "webnn", "webnn:gpu", "firefox", "fp32"}


def test_the_policy_names_the_schedule_and_old_policies_still_parse() -> None:
    assert plan().policy.schedule == "interleaved"
    assert plan(progressive=True).policy.schedule == "progressive"
    search = plan(memory_limit=2048, progressive=True).policy
    assert (search.schedule, search.memory_limit_bytes) == ("memory_limit", 2_048_000_000)
    old = Policy().model_dump(mode="json", exclude={"schedule", "priority", "memory_limit_bytes"})
    assert Policy.model_validate(old) == Policy()


def test_a_search_tries_powers_of_two_unless_sizes_are_typed() -> None:
    sizes = [point.case.batch_size for point in plan(memory_limit=2048).cases]
    assert tuple(sizes) == SEARCHED_BATCHES
    assert [point.case.batch_size for point in plan(memory_limit=2048, batch_size=(3, 1)).cases] == [3, 1]


@pytest.mark.parametrize(
    "wrong",
    [
        "memory-limit = 0", "memory-limit = '2048'", "memory-limit = true", "memory-limit = 1e9", "progressive = 1",
        "progressive = 'yes'", "priority = [1]", "priority = {a = 1}", "affinity = true", "affinity = {a = 1}",
    ],
)  # fmt: skip
def test_a_wrong_spec_is_a_mistake(wrong: str) -> None:
    with pytest.raises(UserMistake) as caught:
        make_selection(None, parse_spec(f"model = 'bert'\n{wrong}".encode(), "spec.toml"))
    assert caught.value.code == "bad_value"


def test_a_spec_asks_for_the_same() -> None:
    flags = {"affinity": "0-1", "progressive": True, "priority": ("q4",), "memory_limit": 512, "precision": ("q4",)}
    selection = make_selection(None, {"model": "bert", **flags})
    assert make_selection(None, parse_spec(as_toml(selection).encode(), "spec.toml")) == selection


def test_cpus_are_known_where_the_system_tells_of_none(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(self: object) -> list[int]:
        raise AttributeError("macOS has none")

    monkeypatch.setattr(psutil.Process, "cpu_affinity", absent)
    assert cpus_here()[0] == 0


def test_a_search_by_measuring_takes_nothing_from_other_runs() -> None:
    with pytest.raises(UserMistake) as caught:
        plan(memory_limit=2048, incremental=True)
    assert caught.value.code == "search_measures"
    assert plan(memory_limit=2048, incremental=True, force=True).cases, "all is measured then"
