"""`python -m native.worker`: one Round in one fresh process. A case on stdin, Events on stdout.

    {"event": "case", …}   in                 → hello, phases, samples, outputs, done | failed | unsupported
    {"event": "ack"}       in, after that     → exit 0

Outputs are written to `outputs_to/<iteration>/<index>.bin`, raw little-endian, in the order the Event names them.
"""

import importlib
import os
import sys
import time
import traceback
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from numpy.typing import NDArray

from harness.core.errors import Unsupported
from harness.core.events import (
    PROTOCOL,
    CaseMessage,
    Done,
    Event,
    Failed,
    Hello,
    Note,
    Outputs,
    OutputTensor,
    Phase,
    Profile,
    Refused,
    Samples,
)  # fmt: skip
from harness.core.wording import code_by_words
from native.audit import audit_runs
from native.loop import Clock, Work, perf_counter_clock, run_loop
from native.seam import Session, TellsMemory, as_outcome

Emit = Callable[[Event], None]
WARM_BEFORE_PROFILE = 5
MOST_PROFILED_RUNS = 20
# Of a Round's slice, for the profiled runs; twice as long for those without.
PROFILED_SHARE = 0.25
MEMORY_IS_READ_S = 0.25


def main(isolation: str = "process") -> int:
    """Exit code 0 once a last word was said, whatever the word; `isolation` is how this process came to be."""
    channel = private_stdout()
    line = sys.stdin.readline()

    def emit(event: Event) -> None:
        channel.write(event.model_dump_json() + "\n")
        channel.flush()

    emit(do_round(CaseMessage.model_validate_json(line), emit, isolation))
    sys.stdin.readline()  # the ack, or the end of a conductor that is gone
    channel.flush()
    # Nothing is closed: C++ libraries have been seen to hang or crash while they tear down, and nothing is left to do.
    os._exit(0)


def private_stdout() -> TextIO:
    """The protocol's own copy of stdout; what C++ libraries print to fd 1 goes to stderr from here on."""
    channel = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return channel


def do_round(message: CaseMessage, emit: Emit, isolation: str = "process") -> Event:
    """Everything of a Round but its last word, which is returned."""
    clock = perf_counter_clock()
    python = sys.version.split()[0]
    provenance = {"clock_step_ns": clock.step_ns, "isolated": None, "isolation": isolation, "python": python}
    began = clock.now()
    try:
        session = _open(message)
    except Exception as error:
        emit(Hello(protocol=PROTOCOL, side="native", runtime={}, provenance=provenance))
        return _last_word("load_failed", error)
    emit(Hello(protocol=PROTOCOL, side="native", runtime=session.runtime, provenance=provenance))
    # Importing the library: in no load and no latency; what it cost this process, which is little where it was forked.
    emit(Phase(phase="runtime", duration_ns=clock.now() - began, detail={"imported_by": isolation}))
    try:
        return _measure(session, message, clock, emit)
    except Exception as error:  # what a library raises while it runs a model is the Case's failure, not ours
        return _last_word("inference_failed", error)


def _last_word(code: str, error: Exception) -> Event:
    outcome = as_outcome(code, error)
    if isinstance(outcome, Unsupported):
        return Refused(reason=str(outcome))
    if outcome.code == code:  # not known by its kind or words: where it came from may help
        traceback.print_exception(error)
    return Failed(code=outcome.code, reason=str(outcome))


def _open(message: CaseMessage) -> Session:
    """The backend's session; raises Unsupported where the backend cannot be imported, for want of anything but room."""
    _keep_to(message.case.affinity)  # before the import, which makes threads
    try:
        module = importlib.import_module(f"native.backends.{message.case.backend}")
    except ImportError as error:
        if code_by_words(str(error)):
            raise
        raise Unsupported(f"{message.case.backend}: {error}") from error
    session: Session = module.open_session(message)
    return session


def _keep_to(cpus: tuple[int, ...] | None) -> None:
    """Run on these logical CPUs only, with all threads, there and to come; raises Unsupported where there is no way."""
    if cpus is None:
        return
    import psutil

    try:
        psutil.Process().cpu_affinity(list(cpus))
        if hasattr(os, "sched_setaffinity"):  # the above is this thread's; NumPy's library has made others by now
            for thread in psutil.Process().threads():
                os.sched_setaffinity(thread.id, cpus)
    except (AttributeError, ValueError, OSError) as error:  # macOS has none; a CPU that is not there
        raise Unsupported(f"this process cannot be kept to CPUs {', '.join(map(str, cpus))}: {error}") from error


def _measure(session: Session, message: CaseMessage, clock: Clock, emit: Emit) -> Event:
    started = clock.now()
    detail = session.prepare()
    prepared = clock.now()
    emit(Phase(phase="prepare", duration_ns=prepared - started, detail=detail))
    started = clock.now()
    provenance = session.load()
    loaded = clock.now()
    emit(Phase(phase="load", duration_ns=loaded - started))
    emit(Note(kind="provenance", text="after load", data=provenance))
    if message.purpose == "profile":
        return _profile(session, message, clock, emit)
    if message.purpose == "audit":
        for outputs in audit_runs(session, message, clock, emit, partial(_write_outputs, session, message)):
            emit(outputs)
        return Done(stopped_by="audited")
    pending: list[Outputs] = []
    work = Work(
        session.run,
        after_first=lambda: pending.append(_write_outputs(session, message, "first")),
        before_sample=session.drop_outputs,
    )
    stopped_by = run_loop(clock, work, message.policy, emit)
    if isinstance(session, TellsMemory) and (held := session.memory()):
        emit(Note(kind="memory", text="the device's allocator", data=held))
    for outputs in (*pending, _write_outputs(session, message, "last")):
        emit(outputs)
    if message.first_round:
        # The conductor reads this process' memory when it hears of the last outputs: what follows must not be in it.
        time.sleep(MEMORY_IS_READ_S)
        emit(Note(kind="placement", text="where the nodes ran", data=session.placement()))
    return Done(stopped_by=stopped_by)


def _profile(session: Session, message: CaseMessage, clock: Clock, emit: Emit) -> Event:
    """The operators' times, and the same runs without the profiler before and after, so that its cost is known.

    Each run is told as it ends: of a slow model that is the only sign that it gets on.
    """

    def timed(phase: str) -> int:
        session.drop_outputs()
        started = clock.now()
        session.run()
        taken = clock.now() - started
        emit(Samples(phase=phase, clock=clock.name, runs_per_sample=1, durations_ns=(taken,)))
        return taken

    first = _write_outputs_after(session, message, "first")
    share_ns = PROFILED_SHARE * message.policy.slice_ns
    durations_ns = [timed("warm")]
    while len(durations_ns) < WARM_BEFORE_PROFILE and sum(durations_ns) < share_ns:
        durations_ns.append(timed("warm"))
    runs = int(min(MOST_PROFILED_RUNS, max(1, share_ns // max(1, min(durations_ns)))))
    for _ in range(runs):
        timed("unprofiled")
    last = _write_outputs_after(session, message, "last")
    try:
        profiled = session.profile(runs)
    except Exception as error:
        raise as_outcome("profile_failed", error) from error
    taken = tuple(profiled.durations_ns)
    emit(Samples(phase="profiled", clock=clock.name, runs_per_sample=1, durations_ns=taken))
    for _ in range(runs):
        timed("unprofiled")
    told = Profile(source=profiled.source, runs=runs, operators=tuple(profiled.operators))
    emit(Note(kind="profile", text="time per operator", data=told.model_dump(mode="json")))
    for outputs in (first, last):
        emit(outputs)
    return Done(stopped_by="profiled")


def _write_outputs_after(session: Session, message: CaseMessage, iteration: str) -> Outputs:
    session.run()
    return _write_outputs(session, message, iteration)


def _write_outputs(session: Session, message: CaseMessage, iteration: str) -> Outputs:
    folder = Path(message.outputs_to) / iteration
    folder.mkdir(parents=True, exist_ok=True)
    tensors = []
    for index, (name, array) in enumerate(session.outputs()):
        little = np.ascontiguousarray(array).astype(array.dtype.newbyteorder("<"), copy=False)
        _write(folder / f"{index}.bin", little)
        tensors.append(OutputTensor(name=name, dtype=array.dtype.name, shape=array.shape))
    return Outputs.model_validate({"iteration": iteration, "tensors": tensors})


def _write(path: Path, array: NDArray[Any]) -> None:
    """Not `tofile`, which loses the reason why a file could not be written."""
    try:
        path.write_bytes(array.reshape(-1).view(np.uint8).data)
    except OSError as error:
        error.filename = str(path)  # a write, unlike an open, does not say to what
        raise


if __name__ == "__main__":
    sys.exit(main())
