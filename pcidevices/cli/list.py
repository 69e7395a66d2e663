"""``pcidevices list``: this machine's PCI functions, with the names that the cluster would see."""

from __future__ import annotations

import argparse
import json
import socket
import sys

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import msgspec

from pcidevices import logs
from pcidevices.adapters.sysfs.pciids import PciIds
from pcidevices.adapters.sysfs.pciidsfile import find
from pcidevices.adapters.sysfs.scan import scan
from pcidevices.adapters.sysfs.slow import serial_if_told
from pcidevices.domain.address import PciAddress
from pcidevices.domain.device import PciDevice, Scan
from pcidevices.domain.inventory import status_of
from pcidevices.runtime.expendable import Expendable
from pcidevices.settings import existing_folder
from pcidevices.yamltext import as_yaml


# Told of every device; what is not known of one is null.
_ALWAYS = (
    "address",
    "vendorId",
    "deviceId",
    "classId",
    "iommuGroup",
    "nodeName",
    "resourceName",
    "description",
    "kernelDriverInUse",
    "numaNode",
)
_SLOW_TIMEOUT, _SLOW_BUDGET = 1.0, 3.0
_COLUMNS = {"address": "ADDRESS", "ids": "ID", "kernelDriverInUse": "DRIVER", "iommuGroup": "GROUP"}
_WIDE = {"numaNode": "NUMA", "classId": "CLASS", "sriov": "SR-IOV", "below": "BELOW", "resourceName": "RESOURCE NAME"}


def run(settings: argparse.Namespace) -> int:
    """Print the list; what could not be read is told on stderr, and does not fail the command."""
    logs.configure(settings.log_level, "console")
    found = look(existing_folder(settings, "sysfs"), pci_ids_of(settings))
    node_name = settings.node_name or socket.gethostname().lower()
    rows = [as_row(device, node_name) for device in found.devices]
    match settings.output:
        case "json":
            json.dump(rows, sys.stdout, indent=2)
            print()
        case "yaml":
            sys.stdout.write(as_yaml(rows))
        case output:
            _print_table(rows, wide=output == "wide")
    for entry in found.unreadable:
        print(f"pcidevices: {entry.name}: {entry.problem}; left out", file=sys.stderr)
    sys.stdout.flush()
    return 0


def pci_ids_of(settings: argparse.Namespace) -> PciIds:
    """The database that the settings name, or the system's."""
    return PciIds(settings.pci_ids or find())


def look(sysfs: Path, pci_ids: PciIds) -> Scan:
    """One scan with names and, where the devices answer in time, serial numbers."""
    seen = scan(sysfs, names=pci_ids.names_of)
    known = anyio.run(_serials, sysfs, [device.address for device in seen.scan.devices])
    devices = tuple(replace(device, serial=known.get(device.address)) for device in seen.scan.devices)
    return Scan(devices, seen.scan.unreadable)


async def _serials(sysfs: Path, addresses: Sequence[PciAddress]) -> dict[PciAddress, str | None]:
    slow: Expendable[PciAddress, str | None] = Expendable(
        lambda address: serial_if_told(sysfs / f"bus/pci/devices/{address}"), timeout=_SLOW_TIMEOUT
    )
    slow.ask(addresses)
    await slow.settle(_SLOW_BUDGET)
    for address in sorted(slow.stuck):
        print(f"pcidevices: {address}: does not tell its serial number", file=sys.stderr)
    return slow.results


def as_row(device: PciDevice, node_name: str) -> dict[str, Any]:
    """A device with the keys of PCIDevice.status."""
    status: dict[str, Any] = msgspec.to_builtins(status_of(device, node_name), str_keys=True)
    return {key: status.get(key) for key in _ALWAYS} | status


def _print_table(rows: list[dict[str, Any]], *, wide: bool) -> None:
    columns = {**_COLUMNS, **(_WIDE if wide else {}), "description": "DESCRIPTION"}
    table = [list(columns.values()), *([_cell(row, key) for key in columns] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for line in table:
        cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        print("   ".join(cells).rstrip())


def _cell(row: dict[str, Any], key: str) -> str:
    match key:
        case "ids":
            value: object = f"{row['vendorId']}:{row['deviceId']}"
        case "below":
            value = ",".join((*row.get("networkInterfaces", ()), *row.get("blockDevices", ())))
        case "sriov":
            sriov = row.get("sriov") or {}
            value = sriov.get("physicalFunction") or (f"{sriov.get('numVfs', 0)}/{sriov['totalVfs']}" if sriov else "")
        case _:
            value = row.get(key)
    return "-" if value in (None, "") else str(value)
