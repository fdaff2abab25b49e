"""Carry out what takes long: with a guard for what it starts, and an orderly end for every way to be told to stop."""

from __future__ import annotations

import contextlib
import shlex
import signal
import sys
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from harness.cli.options import DEFAULT_DB, absolute

if TYPE_CHECKING:
    from harness.show.progress import Progressing
    from harness.steps.workplace import Workplace

T = TypeVar("T")


def _ends() -> list[signal.Signals]:
    """What tells us to stop besides Ctrl-C; not what somebody had us ignore, as `nohup` does with a closed terminal."""
    names = [name for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]  # Windows has no SIGHUP
    return [number for name in names if signal.getsignal(number := getattr(signal, name)) != signal.SIG_IGN]


@contextlib.contextmanager
def leaving_nothing() -> Iterator[None]:
    """Whatever is started inside has ended afterwards, and its temporary files are gone: also after `kill -9`.

    SIGTERM and a closed terminal are Ctrl-C by another name.
    """
    from harness.processes.children import guarded

    for number in _ends():
        signal.signal(number, signal.default_int_handler)
    with guarded():
        yield


def carry_out(work: Coroutine[Any, Any, T]) -> T:
    """Its result; raises KeyboardInterrupt when it was told to stop, after it has tidied up.

    Told a second time, it stops tidying: then `leaving_nothing` does.
    """
    import asyncio

    async def heeding() -> T:
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        assert task is not None
        for number in _ends():  # Ctrl-C is asyncio's own business; Windows' loop takes no signals
            with contextlib.suppress(NotImplementedError):
                loop.add_signal_handler(number, task.cancel)
        return await work

    try:
        return asyncio.run(heeding())
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None


def command_typed() -> str:
    """The command line as it was typed, for a Run's record."""
    return shlex.join(["harness", *sys.argv[1:]])


def progress() -> Progressing:
    """What a person sees of a Run while it is measured, on stderr."""
    from rich.console import Console

    from harness.show.progress import Progressing

    return Progressing(Console(stderr=True))


def carry_out_beside(work: Callable[[Workplace], Coroutine[Any, Any, T]], db: Path) -> T:
    """What a verb measures to find something out, in a Run of its own, without anybody looking on."""
    from harness.steps.workplace import RealExecutors, Workplace

    with contextlib.closing(progress()) as watcher:
        try:
            return carry_out(work(Workplace(absolute(db), RealExecutors(), watcher)))
        except KeyboardInterrupt:
            if watcher.run_id is not None:
                watcher.warned(f"interrupted; go on with: harness run --resume {watcher.run_id}{database_flag(db)}")
            raise


def database_flag(db: Path) -> str:
    """` --db PATH`, as a hint needs it; nothing for the usual database."""
    return "" if db == DEFAULT_DB else f" --db {shlex.quote(str(db))}"
