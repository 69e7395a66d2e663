"""
What kubectl says on stderr while it runs.

Its last words are kept, so that each failure is told once and in our form. What it says and then goes on after is for a
person to act upon, such as where to sign on and with which code: that is passed on.
"""

from __future__ import annotations

import re
import selectors
import sys
import threading
import time

from io import BufferedReader


_SOON, _DOUBT, _PATIENCE = 0.25, 2.0, 2.0
"""
Seconds: for which kubectl may run on after its last words; for which it may where they tell of a failure, as a
credential plug-in's can that then waits for a person; to wait for what kubectl had said when it ended.
"""
_CHUNK = 1 << 16
_FAILURE = re.compile(
    rb"^(?:Error from server|error: |The connection to the server |Unable to connect to the server|The .* is invalid)",
    re.MULTILINE,
)


class Overheard:
    """A listener of its own at kubectl's stderr, which is closed when nobody speaks there any more."""

    def __init__(self, ear: BufferedReader) -> None:
        self._kept, self._passed_on = b"", b""
        self._has_ended = False
        self._listener = threading.Thread(target=self._listen, args=(ear,), daemon=True)
        self._listener.start()

    def when_ended(self) -> Overheard:
        """Complete, after kubectl's end; what a credential plug-in left behind may go on and is not waited for."""
        self._has_ended = True
        self._listener.join(_PATIENCE)
        return self

    @property
    def unread(self) -> str:
        """What nobody has read yet."""
        return self._kept.decode(errors="replace")

    @property
    def lines(self) -> tuple[str, ...]:
        """What is to be told of a failure: what nobody has read yet, or all where that is nothing."""
        whole = self._kept if self._kept.strip() else self._passed_on
        return tuple(line for line in whole.decode(errors="replace").splitlines() if line.strip())

    def _listen(self, ear: BufferedReader) -> None:
        since = time.monotonic()
        with ear, selectors.DefaultSelector() as selector:
            selector.register(ear, selectors.EVENT_READ)
            while True:
                failure = _FAILURE.search(self._kept)
                others = len(self._kept) if failure is None else failure.start()
                wait = _SOON if others else _DOUBT if self._kept and not self._has_ended else None
                if not selector.select(None if wait is None else max(0.0, since + wait - time.monotonic())):
                    self._pass_on(others or (0 if self._has_ended else len(self._kept)))
                    continue
                chunk = ear.read1(_CHUNK)
                if not chunk:
                    return
                since = since if others else time.monotonic()
                self._kept += chunk

    def _pass_on(self, size: int) -> None:
        said, self._kept = self._kept[:size], self._kept[size:]
        self._passed_on += said
        sys.stderr.write(said.decode(errors="replace"))
        sys.stderr.flush()
