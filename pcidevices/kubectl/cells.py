"""What stands in the columns of `kubectl pci list`. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import NamedTuple

from pcidevices.domain.claims import READY
from pcidevices.domain.conditions import condition
from pcidevices.domain.printable import plain
from pcidevices.errors import ConfigError

from .objects import Claim, Device, sort_key


NOTHING = "-"


class Line(NamedTuple):
    """A device and the claim that has it."""

    device: Device
    claim: Claim | None = None


Cell = Callable[[Line], str]


def _class_name(line: Line) -> str:
    return line.device.status.description.partition(": ")[0] or line.device.status.class_id


def _model(line: Line) -> str:
    status = line.device.status
    return status.description.partition(": ")[2] or status.description or f"{status.vendor_id}:{status.device_id}"


def state_of(claim: Claim | None) -> str:
    """One word for how far a claim has come: ``Ready``, or the reason why not."""
    if claim is None:
        return NOTHING
    ready = condition(claim.status.conditions, READY)
    return "Ready" if ready.status == "True" else ready.reason or "Pending"


def _claim(line: Line) -> str:
    state = state_of(line.claim)
    return f"{state} ({line.claim.spec.user_name})" if line.claim and line.claim.spec.user_name else state


def _below(line: Line) -> str:
    return ",".join((*line.device.status.network_interfaces, *line.device.status.block_devices))


NARROW: dict[str, Cell] = {
    "NODE": lambda line: line.device.status.node_name,
    "ADDRESS": lambda line: line.device.status.address,
    "NUMA": lambda line: "" if line.device.status.numa_node is None else str(line.device.status.numa_node),
    "GROUP": lambda line: line.device.status.iommu_group or "",
    "DRIVER": lambda line: line.device.status.kernel_driver_in_use or "",
    "CLAIM": _claim,
    "IN USE BY": lambda line: ",".join(line.device.status.in_use_by),
    "CLASS": _class_name,
    "MODEL": _model,
}
WIDE: dict[str, Cell] = {
    **NARROW,
    "IDS": lambda line: f"{line.device.status.vendor_id}:{line.device.status.device_id}",
    "BELOW": _below,
    "RESOURCE": lambda line: line.device.status.resource_name,
    "NAME": lambda line: line.device.name,
}
_NUMBERS = frozenset({"NUMA", "GROUP"})
_PATHS = {
    ".metadata.name": "NAME",
    ".status.nodeName": "NODE",
    ".status.address": "ADDRESS",
    ".status.numaNode": "NUMA",
    ".status.iommuGroup": "GROUP",
    ".status.kernelDriverInUse": "DRIVER",
    ".status.description": "CLASS",
    ".status.resourceName": "RESOURCE",
}
"""What `kubectl get --sort-by` calls the columns."""


def table(lines: Sequence[Line], columns: dict[str, Cell], *, headers: bool) -> list[list[str]]:
    """Rows of text; what is not known is a dash."""
    body = [[plain(cell(line)) or NOTHING for cell in columns.values()] for line in lines]
    return [list(columns), *body] if headers else body


def matches(line: Line, words: Sequence[str]) -> bool:
    """Whether every word stands somewhere in the line, whatever its case."""
    if not words:
        return True
    told = "\n".join(cell(line) for cell in WIDE.values()).casefold()
    return all(word.casefold() in told for word in words)


def order(column: str) -> Callable[[Line], tuple[object, ...]]:
    """
    The key to sort by: node and address, or a column first.

    Raises:
        ConfigError: there is no such column.
    """
    place: Callable[[Line], tuple[object, ...]] = lambda line: (  # noqa: E731  the end of every other key
        line.device.status.node_name,
        *sort_key(line.device.status.address),
    )
    if not column:
        return place
    path = f".{column.strip('{}').removeprefix('.')}"
    name = _PATHS.get(path, column.upper().replace("-", " "))
    if name == "AGE" or path == ".metadata.creationTimestamp":
        return lambda line: (_created(line), *place(line))
    if name not in WIDE:
        known = ", ".join(one.lower().replace(" ", "-") for one in WIDE)
        raise ConfigError(f"--sort-by: there is no column {column!r}: {known}, age")
    cell = WIDE[name]
    if name in _NUMBERS:
        return lambda line: (_number(cell(line)), *place(line))
    return lambda line: (cell(line), *place(line))


def _number(text: str) -> int:
    return int(text) if text.isdecimal() else -1


def _created(line: Line) -> float:
    stamp = line.device.metadata.creation_timestamp
    return datetime.fromisoformat(stamp).timestamp() if stamp else 0.0
