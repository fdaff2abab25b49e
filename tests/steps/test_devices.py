"""Devices are invited once each, before the first Round, and told what will be asked; who does not come has failed."""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from harness.core.nouns import Case, Outcome, Plan, PlannedCase, PlannedRound, Policy
from harness.core.rounds import Round
from harness.execute.executor import FakeExecutor, Invitation
from harness.steps.devices import device_of, received, tell_device
from harness.steps.workplace import Workplace
from tests.making import make_case
from tests.test_pipeline import Silent


class Reception(FakeExecutor):
    """Everybody comes but the one who is called `late`."""

    def __init__(self) -> None:
        super().__init__(lambda _: [])
        self.invitations: list[Invitation] = []
        self.told: list[tuple[str | None, Outcome, str | None]] = []

    async def receive(
        self, invitations: Sequence[Invitation], invited: Callable[[str, Sequence[str]], None],
        arrived: Callable[[str, str], None],
    ) -> dict[str, str]:  # fmt: skip
        self.invitations += invitations
        for each in invitations:
            invited(each.device, ["http://127.0.0.1:1/x"])
        return {each.device: "late did not come" for each in invitations if each.device == "late"}

    async def wait_for_return(self, case: Case, say: Callable[[str], None]) -> None:
        return None

    async def tell(self, case: Case, outcome: Outcome, reason: str | None) -> None:
        self.told.append((case.browser_version, outcome, reason))


def on(device: str | None, **changes: Any) -> PlannedCase:
    return PlannedCase(case=make_case(platform="wasm", browser="attached", browser_version=device, **changes))


def workplace(executor: FakeExecutor, tmp_path: Path) -> tuple[Workplace, Silent]:
    watcher = Silent()
    return Workplace(tmp_path / "t.duckdb", {"native": executor, "page": executor}, watcher), watcher


def test_every_device_is_invited_once_and_who_did_not_come_has_failed(tmp_path: Path) -> None:
    executor = Reception()
    place, watcher = workplace(executor, tmp_path)
    impossible = on("phone", batch_size=3).model_copy(update={"outcome": "unsupported", "reason": "no"})
    ours = PlannedCase(case=make_case(platform="wasm", browser="chromium"))
    native = PlannedCase(case=make_case())
    points = (on("phone"), on("late"), on("phone", batch_size=2), impossible, ours, native, on(None))
    done = Round(
        round_id="1", run_id="r", case_id=points[0].case.case_id, number=1, started_at="2026-01-01", outcome="ok"
    )
    plan = asyncio.run(received(Plan(cases=points, policy=Policy(rounds=3)), [done], place))
    expected = [("phone", 2, 5), ("late", 1, 3), ("", 1, 3)]
    assert [(each.device, len(each.cases), each.rounds) for each in executor.invitations] == expected
    assert not any("attached" in words for each in executor.invitations for words in each.cases)
    assert [point.outcome for point in plan.cases] == [None, "failed", None, "unsupported", None, None, None]
    assert (plan.cases[1].code, plan.cases[1].reason) == ("device_absent", "late did not come")
    assert watcher.said == ["invited phone", "invited late", "invited ", "warned late did not come"]


def test_without_a_device_nobody_is_asked(tmp_path: Path) -> None:
    executor = Reception()
    place, watcher = workplace(executor, tmp_path)
    plan = Plan(cases=(PlannedCase(case=make_case(platform="wasm", browser="chromium")),), policy=Policy())
    assert asyncio.run(received(plan, [], place)) == plan
    assert not executor.invitations and not watcher.said


def test_a_device_hears_how_its_own_rounds_ended(tmp_path: Path) -> None:
    executor = Reception()
    place, _ = workplace(executor, tmp_path)
    fields = {"round_id": "1", "run_id": "r", "case_id": "c", "number": 1, "started_at": "2026-01-01"}
    failed = Round.model_validate({**fields, "outcome": "failed", "code": "wrong_output", "reason": "off by 3"})
    for case in (on("phone").case, make_case(platform="wasm", browser="chromium"), make_case()):
        asyncio.run(tell_device(PlannedRound(case=case, number=1), failed, place))
    assert executor.told == [("phone", "failed", "off by 3")]


def test_which_device_a_case_asks_for() -> None:
    assert device_of(on("phone").case) == "phone" and device_of(on(None).case) == ""
    assert device_of(make_case()) is None and device_of(make_case(browser="firefox")) is None
