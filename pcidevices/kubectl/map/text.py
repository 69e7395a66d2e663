"""Words of the picture that both forms of it have, and text of the cluster made harmless for either."""

from __future__ import annotations

import html
import re

from collections.abc import Iterable

from .model import counts
from .values import Picture, Tile


_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def escaped(text: str) -> str:
    """*text* as text, between tags and in attributes alike; what no XML may have is shown as U+FFFD."""
    return html.escape(_NO_XML.sub("\ufffd", text))


def about(drawn: Picture) -> str:
    """What the picture shows, and when that was."""
    devices = sum(1 for _ in drawn.tiles)
    parts = (amount(len(drawn.nodes), "node"), amount(devices, "device"), drawn.selection, f"seen {drawn.taken}")
    return " · ".join(part for part in parts if part)


def tally(tiles: Iterable[Tile]) -> str:
    """How many devices are in which state, in one line."""
    told = (f"{number} {state.label[0].lower()}{state.label[1:]}" for state, number in counts(tiles).items() if number)
    return ", ".join(told)


def amount(number: int, what: str) -> str:
    """``1 node``, ``2 nodes``."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
