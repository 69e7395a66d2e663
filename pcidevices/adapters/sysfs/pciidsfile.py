"""Where the PCI ID database is, and which one it is. Imports little: the command `version` tells it too."""

from __future__ import annotations

import re

from collections.abc import Iterable
from itertools import islice
from pathlib import Path


USUAL_PLACES = ("/usr/share/misc/pci.ids", "/usr/share/hwdata/pci.ids", "/usr/share/pci.ids")

_HEAD = 40
_VERSION = re.compile(rb"#\s*Version:\s*(\S+)\s*")


def find(places: Iterable[str] = USUAL_PLACES) -> Path | None:
    """The system's database, where distributions put it; None when there is none."""
    return next((path for path in map(Path, places) if path.is_file()), None)


def edition(database: Path) -> str:
    """The version that the head of the file tells, such as ``2025.03.01``; "unknown" when it tells none."""
    try:
        with database.open("rb") as lines:
            found = filter(None, map(_VERSION.fullmatch, islice(lines, _HEAD)))
            return next((match[1].decode(errors="replace") for match in found), "unknown")
    except OSError:
        return "unknown"
