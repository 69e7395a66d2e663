"""What a person, or a program, reads of it."""

from __future__ import annotations

import sys

from collections.abc import Iterable

import msgspec

from pcidevices.domain.diagnosis import Diagnosis, Mark
from pcidevices.domain.diagnosis.telling import as_values, lines
from pcidevices.domain.printable import plain
from pcidevices.kubectl.screen import Screen


_HOLDS = {Mark.HOLDS: True, Mark.DOUBT: None, Mark.CAUSE: False}


def print_diagnosis(found: Iterable[tuple[str, Diagnosis]], *, briefly: bool) -> None:
    """Each with its title."""
    screen = Screen.of(sys.stdout)
    marks = {mark: screen.mark(holds=holds) for mark, holds in _HOLDS.items()}
    for title, diagnosis in found:
        print(screen.painted(plain(title), "bold"))
        for line in lines(diagnosis, marks, head=lambda text: screen.painted(text, "dim"), briefly=briefly):
            print(line)


def print_json(found: Iterable[tuple[str, Diagnosis]]) -> None:
    """A list, one entry for each thing that was looked at."""
    whole = [as_values(title, diagnosis) for title, diagnosis in found]
    print(msgspec.json.format(msgspec.json.encode(whole), indent=2).decode())
