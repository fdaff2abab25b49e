"""`python -m native.worker`: one Round in one fresh process. A case on stdin, Events on stdout.

    {"event": "case", …}   in                 → hello, phases, samples, outputs, done | failed | unsupported
    {"event": "ack"}       in, after that     → exit 0

Outputs are written to `outputs_to/<iteration>/<index>.bin`, raw little-endian, in the order the Event names them.
"""

import importlib
import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

import numpy as np

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
    Refused,
)  # fmt: skip
from native.loop import Clock, Work, perf_counter_clock, run_loop
from native.seam import BackendFailed, Session

Emit = Callable[[Event], None]


def main() -> int:
    """Exit code 0 once a last word was said, whatever the word."""
    channel = private_stdout()
    line = sys.stdin.readline()

    def emit(event: Event) -> None:
        channel.write(event.model_dump_json() + "\n")
        channel.flush()

    emit(do_round(CaseMessage.model_validate_json(line), emit))
    sys.stdin.readline()  # the ack, or the end of a conductor that is gone
    channel.flush()
    # Nothing is closed: C++ libraries have been seen to hang or crash while they tear down, and nothing is left to do.
    os._exit(0)


def private_stdout() -> TextIO:
    """The protocol's own copy of stdout; what C++ libraries print to fd 1 goes to stderr from here on."""
    channel = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return channel


def do_round(message: CaseMessage, emit: Emit) -> Event:
    """Everything of a Round but its last word, which is returned."""
    clock = perf_counter_clock()
    provenance = {"clock_step_ns": clock.step_ns, "isolated": None, "python": sys.version.split()[0]}
    began = clock.now()
    try:
        session = _open(message)
    except (ImportError, Unsupported) as error:
        emit(Hello(protocol=PROTOCOL, side="native", runtime={}, provenance=provenance))
        return Refused(reason=f"{message.case.backend}: {error}")
    emit(Hello(protocol=PROTOCOL, side="native", runtime=session.runtime, provenance=provenance))
    emit(Phase(phase="runtime", duration_ns=clock.now() - began))  # importing the library: in no load and no latency
    try:
        return _measure(session, message, clock, emit)
    except BackendFailed as failure:
        return Failed(code=failure.code, reason=str(failure))
    except Unsupported as reason:
        return Refused(reason=str(reason))
    except MemoryError as error:
        return Failed(code="out_of_memory", reason=str(error) or "the process could not get more memory")
    except Exception as error:  # what a library raises while it runs a model is the Case's failure, not ours
        traceback.print_exc()
        return Failed(code="inference_failed", reason=f"{type(error).__name__}: {error}".splitlines()[0])


def _open(message: CaseMessage) -> Session:
    module = importlib.import_module(f"native.backends.{message.case.backend}")
    session: Session = module.open_session(message)
    return session


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
    pending: list[Outputs] = []
    work = Work(
        session.run,
        after_first=lambda: pending.append(_write_outputs(session, message, "first")),
        before_sample=session.drop_outputs,
    )
    stopped_by = run_loop(clock, work, message.policy, emit)
    for outputs in (*pending, _write_outputs(session, message, "last")):
        emit(outputs)
    if message.first_round:
        emit(Note(kind="placement", text="where the nodes ran", data=session.placement()))
    return Done(stopped_by=stopped_by)


def _write_outputs(session: Session, message: CaseMessage, iteration: str) -> Outputs:
    folder = Path(message.outputs_to) / iteration
    folder.mkdir(parents=True, exist_ok=True)
    tensors = []
    for index, (name, array) in enumerate(session.outputs()):
        little = np.ascontiguousarray(array).astype(array.dtype.newbyteorder("<"), copy=False)
        little.tofile(folder / f"{index}.bin")
        tensors.append(OutputTensor(name=name, dtype=array.dtype.name, shape=array.shape))
    return Outputs.model_validate({"iteration": iteration, "tensors": tensors})


if __name__ == "__main__":
    sys.exit(main())
