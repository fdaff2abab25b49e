"""execute → measure, for audits: what the timed Rounds answered is kept until a single run is asked, and the
conductor's own clock is read whenever a worker or page tells what its clocks show.

Facts only: they are journalled as a provenance note of their Round, and `analyse/audit.py` judges them.

    answers                 of a timed Round: iteration → a digest for each tensor
    audit.outputs           of the Round that audits: how many answers of timed Rounds were held against its single run
    audit.clock             its ticks, each [the clock that times, the second one, the conductor's], in nanoseconds
"""

import contextlib
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.core.events import Conversation, Done, Event, Note, OutputTensor
from harness.core.nouns import Policy
from harness.core.rounds import Round
from harness.execute.executor import Assignment
from harness.measure.answers import Digests, distance, keep_answers, same_within

Tick = tuple[int, int, int]


def tick_of(event: Event) -> Tick | None:
    """What both clocks of a worker or page show, and ours at this moment."""
    if not (isinstance(event, Note) and event.kind == "progress"):
        return None
    shown = [event.data.get(name) for name in ("clock_ns", "second_ns")]
    if not all(isinstance(each, int) for each in shown):
        return None
    return (*shown, time.monotonic_ns())  # type: ignore[return-value]


@contextlib.asynccontextmanager
async def answers_kept(policy: Policy, history: Sequence[Round]) -> AsyncIterator["KeptAnswers | None"]:
    """A folder for the length of one sitting, where the Plan audits; `history` grows while the Run goes on."""
    if not policy.audit:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="harness-answers-") as folder:
        yield KeptAnswers(Path(folder), history)


@dataclass(frozen=True)
class KeptAnswers:
    """The bytes of this sitting's answers, by digest; of earlier sittings the digests alone, in their Rounds."""

    folder: Path
    history: Sequence[Round]

    def note(self, assignment: Assignment, conversation: Conversation, ticks: Sequence[Tick]) -> Note | None:
        """What is to be kept of a Round that was timed, or found by one that audits."""
        if not isinstance(conversation.last, Done) or assignment.purpose not in ("timing", "audit"):
            return None
        kept = keep_answers(conversation.outputs, assignment.outputs_dir, self.folder)
        data: dict[str, Any] = {"answers": kept}
        if assignment.purpose == "audit":
            tensors = conversation.outputs["first"].tensors
            found = self._compared(assignment, tensors, kept)
            data = {"audit": {"outputs": found, "clock": {"ticks": [list(tick) for tick in ticks]}}}
        return Note(kind="provenance", text="by the conductor", data=data)

    def _compared(
        self, assignment: Assignment, tensors: Sequence[OutputTensor], audited: dict[str, Digests]
    ) -> dict[str, Any]:
        """Each answer of the Case's timed Rounds against the single run's, tensor by tensor; and that of the same
        process, once it has had other inputs."""
        single = audited["first"]
        within = same_within(assignment.case.precision)
        answers = [
            (f"round {one.number}, {iteration} iteration", digests)
            for one in self.history
            if one.case_id == assignment.case.case_id and one.purpose == "timing" and one.outcome == "ok"
            for iteration, digests in one.provenance.get("answers", {}).items()
        ]
        answers.append(("after other inputs", audited["last"]))
        same, gone, furthest, wrong = 0, 0, 0.0, list[str]()
        for which, digests in answers:
            if digests == single:
                same += 1
            elif len(digests) != len(single):
                wrong.append(f"{which}: {len(digests)} outputs, the single run has {len(single)}")
            elif not all((self.folder / digest).exists() for digest in (*digests, *single)):
                gone += 1
            else:
                far, why = self._furthest(tensors, single, digests, within)
                furthest = max(furthest, far)
                wrong += [f"{which}: {why}"] if why else []
        told = {"answers": len(answers), "same_bytes": same, "not_kept": gone, "different": len(wrong)}
        return {**told, "furthest": furthest, "within": within, "reason": wrong[0] if wrong else None}

    def _furthest(
        self, tensors: Sequence[OutputTensor], single: Digests, digests: Digests, within: float
    ) -> tuple[float, str | None]:
        """The largest distance of any tensor, and why it is too far."""
        found = [
            (tensor.name, *distance(tensor, self.folder / one, self.folder / other, within))
            for tensor, one, other in zip(tensors, single, digests, strict=True)
            if one != other
        ]
        why = next((f"output {name!r}: {reason}" for name, _, reason in found if reason), None)
        return max((far for _, far, _ in found if far is not None), default=0.0), why
