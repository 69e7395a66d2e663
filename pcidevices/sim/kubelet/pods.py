"""The pods of the node, what each has been given, and the file that outlives the kubelet."""

from __future__ import annotations

import base64
import json

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pcidevices.kubeletapi import v1beta1


CONTAINER = "c"
"""Every pod has one container, and this is its name."""
NOWHERE = -1
"""The NUMA node of devices that have none."""


@dataclass(frozen=True, slots=True)
class Pod:
    """As the API server has it."""

    namespace: str
    name: str
    uid: str


@dataclass(frozen=True, slots=True)
class Allocation:
    """Devices of one resource that a pod's container holds, by NUMA node."""

    uid: str
    resource: str
    ids: Mapping[int, tuple[str, ...]]
    response: v1beta1.ContainerAllocateResponse


class Allocations:
    """Who holds what; kept in a file, in the format and under the name of the kubelet's, but for the checksum."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._all: list[Allocation] = []

    def __iter__(self) -> Iterator[Allocation]:
        return iter(tuple(self._all))

    def in_use(self, resource: str) -> set[str]:
        """Devices that somebody holds."""
        held = (one.ids.values() for one in self._all if one.resource == resource)
        return {device_id for by_node in held for ids in by_node for device_id in ids}

    def add(self, allocation: Allocation) -> None:
        self._all.append(allocation)

    def keep(self, uids: Iterable[str]) -> None:
        """Free what others than these pods hold."""
        active = set(uids)
        self._all = [one for one in self._all if one.uid in active]

    def save(self, allocatable: Mapping[str, Iterable[str]]) -> None:
        """Write the file, with the resources that there are."""
        entries = [
            {
                "PodUID": one.uid,
                "ContainerName": CONTAINER,
                "ResourceName": one.resource,
                "DeviceIDs": {str(node): list(ids) for node, ids in one.ids.items()},
                "AllocResp": base64.b64encode(bytes(one.response)).decode(),
            }
            for one in self._all
        ]
        registered = {resource: sorted(ids) for resource, ids in allocatable.items()}
        data = {"PodDeviceEntries": entries or None, "RegisteredDevices": registered}
        fresh = self._path.with_suffix(".new")
        fresh.write_text(json.dumps({"Data": data, "Checksum": 0}))
        fresh.replace(self._path)

    def load(self) -> list[str]:
        """Read the file, if there is one; returns the names of the resources that there were."""
        if not self._path.exists():
            return []
        data: dict[str, Any] = json.loads(self._path.read_text())["Data"]
        self._all = [
            Allocation(
                entry["PodUID"],
                entry["ResourceName"],
                {int(node): tuple(ids) for node, ids in entry["DeviceIDs"].items()},
                v1beta1.ContainerAllocateResponse().parse(base64.b64decode(entry["AllocResp"])),
            )
            for entry in data["PodDeviceEntries"] or ()
        ]
        return list(data["RegisteredDevices"])
