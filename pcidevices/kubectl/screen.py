"""What a terminal can show: marks, lines and colours, or their stand-ins."""

from __future__ import annotations

import os
import re
import shutil

from dataclasses import dataclass
from typing import TextIO


_PAINT = re.compile(r"\x1b\[[0-9;]*m")
_PAINT_OR_TEXT = re.compile(r"\x1b\[[0-9;]*m|[^\x1b]+")
_COLOURS = {"good": "32", "bad": "31", "waiting": "33", "dim": "2", "bold": "1"}


@dataclass(frozen=True, slots=True)
class Screen:
    """How to write to one stream."""

    unicode: bool = False
    colour: bool = False
    width: int | None = None
    """Columns of the terminal; None where there is no terminal, and lines may be as long as they are."""

    @classmethod
    def of(cls, stream: TextIO) -> Screen:
        """Colour only on a terminal, and not where NO_COLOR or a dumb terminal forbids it."""
        is_terminal = stream.isatty()
        dumb = os.environ.get("TERM", "") in {"", "dumb"}
        return cls(
            unicode=_can_say("✔├─└…", stream.encoding or "ascii"),
            colour=is_terminal and not dumb and not os.environ.get("NO_COLOR"),
            width=shutil.get_terminal_size().columns if is_terminal else None,
        )

    def painted(self, text: str, colour: str) -> str:
        """*text* in one of the colours good, bad, waiting, dim, bold."""
        return f"\x1b[{_COLOURS[colour]}m{text}\x1b[0m" if self.colour else text

    def mark(self, *, holds: bool | None) -> str:
        """For what holds, does not hold, or is not known yet."""
        if holds is None:
            return self.painted("…" if self.unicode else "~", "waiting")
        if holds:
            return self.painted("✔" if self.unicode else "+", "good")
        return self.painted("✘" if self.unicode else "x", "bad")

    def cut(self, text: str) -> str:
        """*text*, no wider than the terminal; colours count for nothing."""
        if self.width is None or len(_PAINT.sub("", text)) <= self.width:
            return text
        end = "…" if self.unicode else "..."
        room, kept = max(0, self.width - len(end)), ""
        for part in _PAINT_OR_TEXT.findall(text):
            shown = part if part.startswith("\x1b") else part[:room]
            room -= 0 if part.startswith("\x1b") else len(shown)
            kept += shown
        return kept + end


def _can_say(text: str, encoding: str) -> bool:
    try:
        text.encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return False
    return True
