"""What the tables of mounts and of swap space say (proc_pid_mountinfo(5), proc_swaps(5)). Pure."""

from __future__ import annotations

import re

from collections.abc import Iterator
from dataclasses import dataclass


_ESCAPE = re.compile(r"\\([0-3][0-7]{2})")
_NUMBERS = re.compile(r"\d+:\d+")
_SWAP = re.compile(r"(\S+)\s+(partition|file)\s")
_DELETED = " (deleted)"
_WHERE, _FEWEST = 4, 6
_LONGEST_QUOTE = 60


@dataclass(slots=True)
class Places:
    """Where something is mounted: the first place, and how many more there are."""

    first: str
    more: int = 0

    def __str__(self) -> str:
        place = self.first if self.first.isprintable() else repr(self.first)
        return f"{place} (and at {self.more} more places)" if self.more else place


@dataclass(frozen=True, slots=True)
class Mounts:
    """By major and minor number, and by the name of the device that was mounted: one of them may tell nothing."""

    by_numbers: dict[str, Places]
    by_name: dict[str, Places]

    def of(self, *, numbers: str, name: str) -> Places | None:
        return self.by_numbers.get(numbers) or self.by_name.get(name)


def mounts_in(lines: Iterator[str]) -> Mounts:
    """
    All of a ``mountinfo``; btrfs has numbers of its own, so the source counts as well.

    Raises:
        ValueError: there is a line that the kernel does not write, or none at all: every process sees a root.
    """
    mounts = Mounts({}, {})
    for line in lines:
        before, separator, after = line.partition(" - ")
        fields, rest = before.split(" "), after.split(" ")
        if not separator or len(fields) < _FEWEST or len(rest) < 2 or not _NUMBERS.fullmatch(fields[2]):  # noqa: PLR2004
            raise ValueError(f"{line[:_LONGEST_QUOTE]!r} is no line of mountinfo")
        where = unescaped(fields[_WHERE])
        _count(mounts.by_numbers, fields[2], where)
        if name := name_of(unescaped(rest[1])):
            _count(mounts.by_name, name, where)
    if not mounts.by_numbers:
        raise ValueError("there is no line in it")
    return mounts


def swaps_in(lines: Iterator[str]) -> frozenset[str]:
    """
    The names of the devices that are swap space; swap files are mounted anyway.

    Raises:
        ValueError: there is a line that the kernel does not write, or no headline.
    """
    if not next(lines, "").startswith("Filename"):
        raise ValueError("there is no headline in it")
    names: set[str] = set()
    for line in lines:
        match = _SWAP.match(line)
        if match is None:
            raise ValueError(f"{line[:_LONGEST_QUOTE]!r} is no line of swaps")
        path = unescaped(match[1]).removesuffix(_DELETED)
        if match[2] == "partition":
            names.add(name_of(path) or path)
    return frozenset(names)


def unescaped(text: str) -> str:
    r"""*text* as it was before the kernel wrote blanks and backslashes as ``\040`` and the like."""
    return _ESCAPE.sub(lambda match: chr(int(match[1], 8)), text) if "\\" in text else text


def name_of(path: str) -> str | None:
    """The kernel's name of the block device at *path*, wherever /dev is mounted; None for what is no path of one."""
    _, slash, name = path.rpartition("/dev/")
    return name.replace("/", "!") if slash else None


def _count(places: dict[str, Places], key: str, where: str) -> None:
    if key in places:
        places[key].more += 1
    else:
        places[key] = Places(where)
