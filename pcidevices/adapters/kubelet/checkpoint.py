"""What the kubelet has written down of devices that it gave away; it survives its restarts."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from pcidevices.domain.held import HeldDevice
from pcidevices.errors import KubeletAway


NAME = "kubelet_internal_checkpoint"


class _Entry(msgspec.Struct, rename="pascal"):
    resource_name: str
    device_i_ds: Any = msgspec.field(name="DeviceIDs")
    container_name: str = ""


class _Data(msgspec.Struct, rename="pascal"):
    pod_device_entries: list[_Entry] | None


class _Checkpoint(msgspec.Struct, rename="pascal"):
    """Fields that are not omitted when they are empty: without them it is of another format, and not an empty one."""

    data: _Data


def given_away(folder: Path) -> tuple[HeldDevice, ...]:
    """
    All that the checkpoint in *folder* names (pkg/kubelet/cm/devicemanager/checkpoint).

    Pods have no names there. It is written when devices are given away, and when a plugin has told of its devices, so
    that it may still name what has come back since. A kubelet that has given nothing away yet has none, and a machine
    on which none has ever run has no folder for it.

    Raises:
        KubeletAway: there is one, and it makes no sense.
    """
    path = folder / NAME
    try:
        entries = msgspec.json.decode(path.read_bytes(), type=_Checkpoint).data.pod_device_entries or ()
        return tuple(
            HeldDevice("", "", entry.container_name, entry.resource_name, tuple(sorted(_ids(entry.device_i_ds))))
            for entry in entries
        )
    except FileNotFoundError:
        return ()
    except (OSError, msgspec.MsgspecError, TypeError) as error:
        raise KubeletAway(f"{path} cannot be read: {error}") from error


def _ids(by_numa_node: object) -> Iterable[str]:
    """Since Kubernetes 1.20 a list for each NUMA node, before that one list."""
    if isinstance(by_numa_node, dict):
        for ids in by_numa_node.values():
            yield from _ids(ids)
    elif by_numa_node is not None:
        yield from msgspec.convert(by_numa_node, list[str])
