"""The PCI ID database: the names of the vendors, devices and classes that this node has, and no others."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import structlog

from pcidevices.domain.naming import PciNames

from .files import unless_out_of_means
from .pciidsfile import USUAL_PLACES


log = structlog.get_logger()

_HEX = frozenset(b"0123456789abcdef")
_CLASS_PREFIX = b"C "


class PciIds:
    """
    Looks names up in a ``pci.ids`` file (its format: the head of the file itself).

    The file is read again, once, when models turn up that were not asked for before; only their
    entries stay in memory. A line that is not in the format is skipped and told once.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._names: dict[tuple[str, str, str], PciNames] = {}

    def names_of(self, wanted: set[tuple[str, str, str]]) -> dict[tuple[str, str, str], PciNames]:
        """
        Names for each vendor, device and class id that is *wanted*. Blocking.

        Raises:
            OSError: the machine or this process has run out of descriptors or memory.
        """
        if missing := wanted - self._names.keys():
            found, is_whole = self._look_up(missing)
            if not is_whole:
                return self._names | found  # for now; the next look may find the file again
            self._names |= found
        return self._names

    def _look_up(self, wanted: set[tuple[str, str, str]]) -> tuple[dict[tuple[str, str, str], PciNames], bool]:
        """The names, and whether the database could be read to its end."""
        is_whole = True
        entries = _Entries(
            models={(vendor.encode(), device.encode()) for vendor, device, _ in wanted},
            classes={(class_id[:2].encode(), class_id[2:].encode()) for _, _, class_id in wanted},
        )
        if self._path is None:
            log.warning("pciids.missing", looked_in=USUAL_PLACES, consequence="ids stand in for names")
        else:
            try:
                with self._path.open("rb") as lines:
                    entries.read(lines)
            except OSError as error:
                unless_out_of_means(error)  # names made of ids would be kept for ever, and the file may be all right
                log.warning("pciids.unreadable", path=str(self._path), error=error.strerror)
                is_whole = False
            if is_whole and not entries.lines:
                log.warning("pciids.empty", path=str(self._path), consequence="ids stand in for names")
            if entries.bad_lines:
                log.warning("pciids.damaged", path=str(self._path), lines=entries.bad_lines, first=entries.first_bad)
        names = {
            (vendor, device, class_id): PciNames(
                vendor=entries.found.get((b"", vendor.encode())),
                device=entries.found.get((vendor.encode(), device.encode())),
                class_name=entries.found.get((b"C", class_id[:2].encode())),
                subclass_name=entries.found.get((b"C" + class_id[:2].encode(), class_id[2:].encode())),
            )
            for vendor, device, class_id in wanted
        }
        return names, is_whole


class _Entries:
    """One pass through the file; keeps ``(parent, id) → name`` of what is wanted."""

    def __init__(self, *, models: set[tuple[bytes, bytes]], classes: set[tuple[bytes, bytes]]) -> None:
        self._wanted = (
            {(b"", vendor) for vendor, _ in models}
            | models
            | {(b"C", code) for code, _ in classes}
            | {(b"C" + code, sub) for code, sub in classes}
        )
        self.found: dict[tuple[bytes, bytes], str] = {}
        self.lines = 0
        self.bad_lines = 0
        self.first_bad = 0

    def read(self, lines: Iterable[bytes]) -> None:
        parent = b""
        for position, line in enumerate(lines, 1):
            if line.startswith((b"\t\t", b"#")) or not line.strip():
                continue
            self.lines += 1
            nested = line.startswith(b"\t")
            is_class = line.startswith(_CLASS_PREFIX)
            entry = line[1:] if nested else line[2:] if is_class else line
            width = 2 if is_class or (nested and parent.startswith(b"C")) else 4
            code, gap, name = entry[:width], entry[width : width + 2], entry[width + 2 :].rstrip(b"\r\n")
            if gap != b"  " or not name or not _HEX.issuperset(code) or (nested and not parent):
                self._skip(position)
                if line[4:6] == b"  " or _HEX.issuperset(line[:4]):
                    # A vendor that was damaged: what follows belongs to it, not to the one before.
                    parent = b""
                continue
            group = parent if nested else b"C" if is_class else b""
            if not nested:
                parent = b"C" + code if is_class else code
            if (group, code) in self._wanted:
                self.found.setdefault((group, code), name.decode(errors="replace"))

    def _skip(self, position: int) -> None:
        self.bad_lines += 1
        self.first_bad = self.first_bad or position
