"""A way to the page server on which connections are really cut: a TCP proxy of the test's own."""

import contextlib
import socket
import threading
import time
from collections import Counter
from dataclasses import dataclass, field

_LOBBY, _LINK = b"GET /lobby/", b"GET /link/"


@dataclass
class _Pair:
    """A browser's connection and ours behind it."""

    kind: bytes
    sides: tuple[socket.socket, socket.socket]
    opened_s: float = field(default_factory=time.monotonic)

    def cut(self) -> None:
        for side in self.sides:
            with contextlib.suppress(OSError):  # the end of one may already have closed the other
                side.shutdown(socket.SHUT_RDWR)


class CuttingProxy:
    """Listens at one address, forwards to another; cuts the lobby's and the Round's line together, so many times."""

    def __init__(self, host: str, target: str, cuts: int, after_s: float) -> None:
        self._listener = socket.create_server((host, 0))
        self.port: int = self._listener.getsockname()[1]
        self.cut: Counter[bytes] = Counter()
        self.opened: Counter[bytes] = Counter()
        self._target, self._cuts, self._after_s = target, cuts, after_s
        self._lines: dict[bytes, _Pair] = {}
        self._over = threading.Event()
        for work in (self._accept, self._cut_lines):
            threading.Thread(target=work, daemon=True).start()

    def close(self) -> None:
        self._over.set()
        self._listener.close()

    def _accept(self) -> None:
        while not self._over.is_set():
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(near,), daemon=True).start()

    def _serve(self, near: socket.socket) -> None:
        try:
            with near, socket.create_connection((self._target, self.port)) as far:
                threading.Thread(target=self._pump, args=(far, near), daemon=True).start()
                while data := near.recv(65536):
                    for kind in (_LOBBY, _LINK):
                        if data.startswith(kind):
                            self.opened[kind] += 1
                            self._lines[kind] = _Pair(kind, (near, far))
                    far.sendall(data)
        except OSError:
            pass  # cut, which is what it is for

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        try:
            while data := source.recv(65536):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def _cut_lines(self) -> None:
        """Once the Round's line has been up for a while, it and the lobby's are cut."""
        while self._cuts and not self._over.wait(0.02):
            link, lobby = self._lines.get(_LINK), self._lines.get(_LOBBY)
            if link and lobby and time.monotonic() > max(link.opened_s, lobby.opened_s) + self._after_s:
                self._lines.clear()
                self._cuts -= 1
                for pair in (link, lobby):
                    pair.cut()
                    self.cut[pair.kind] += 1
