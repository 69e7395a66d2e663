"""``pcidevices doctor``: what is wrong on this node, seen from the node and without the cluster. It changes nothing."""

from __future__ import annotations

import argparse
import errno
import json
import socket
import sys

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import anyio

from anyio import to_thread

from pcidevices import __version__, logs
from pcidevices.adapters.kubelet.podresources import PodResources
from pcidevices.adapters.sysfs.control import SysfsControl
from pcidevices.adapters.sysfs.modules import KernelModules
from pcidevices.adapters.sysfs.scan import scan
from pcidevices.adapters.sysfs.writers import in_threads
from pcidevices.api.v1beta1 import Look
from pcidevices.domain.address import PciAddress
from pcidevices.domain.diagnosis import Diagnosis
from pcidevices.domain.diagnosis.here import Here, diagnose_here
from pcidevices.domain.diagnosis.telling import ASCII, UNICODE, as_values, lines
from pcidevices.domain.look import Around, KubeletSeen, look_of
from pcidevices.domain.sight import Sight
from pcidevices.errors import ConfigError, KubeletError
from pcidevices.settings import existing_folder


_PATIENCE = 1.0
_PLUGINS = "device-plugins"
_SOCKETS = "kubevirt-*.*.sock"
"""Those of devices: they have a vendor, which has a dot. KubeVirt's own, such as ``kubevirt-kvm.sock``, have not."""


def run(settings: argparse.Namespace) -> int:
    """Print what is found; 1 when something is wrong."""
    logs.configure(settings.log_level, "console")
    existing_folder(settings, "sysfs")
    found = anyio.run(_diagnosed, settings, [_address(text) for text in settings.address])
    title = f"node {socket.gethostname().lower()}"
    if settings.output == "json":
        json.dump([as_values(title, found)], sys.stdout, indent=2)
        print()
    else:
        _print(title, found)
    return int(found.cause is not None)


async def _diagnosed(settings: argparse.Namespace, named: Sequence[PciAddress]) -> Diagnosis:
    seen = (await to_thread.run_sync(scan, settings.sysfs)).scan.devices
    kubelet = await _kubelet(settings.kubelet_dir)
    around = Around(iommu_enabled=any(device.iommu_group is not None for device in seen), kubelet=kubelet)
    wanted = named or [device.address for device in seen if device.is_on_vfio]
    async with _control(settings) as control:
        looks = {str(address): _told(await control.look(address), around) for address in wanted}
        any_look = _told(await control.look(seen[0].address), around) if seen and not looks else None
    sockets = sorted((settings.kubelet_dir / _PLUGINS).glob(_SOCKETS))
    return diagnose_here(
        Here(
            iommu_enabled=around.iommu_enabled,
            looks=looks,
            any_look=any_look,
            kubelet_problem=kubelet.problem,
            counted=kubelet.allocatable,
            sockets={str(path): await to_thread.run_sync(_is_heard, path) for path in sockets},
        )
    )


def _told(sight: Sight, around: Around) -> Look:
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return look_of(sight, around, request="", now=now, version=__version__)


def _control(settings: argparse.Namespace) -> SysfsControl:
    def refuse(path: Path, _: str) -> None:
        raise OSError(errno.EROFS, "a diagnosis writes nothing", str(path))

    return SysfsControl(
        sysfs=settings.sysfs,
        proc=settings.proc,
        dev=settings.dev,
        udev=settings.udev,
        kernel=in_threads(refuse),
        modules=KernelModules(settings.modules),
        on_return=lambda _: None,
    )


async def _kubelet(folder: Path) -> KubeletSeen:
    resources = PodResources(folder / "pod-resources/kubelet.sock")
    try:
        return KubeletSeen(allocatable=await resources.allocatable(), held=await resources.held())
    except KubeletError as error:
        return KubeletSeen(problem=str(error))


def _is_heard(path: Path) -> bool:
    """Whether somebody accepts connections there; nothing is said."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as end:
        end.settimeout(_PATIENCE)
        try:
            end.connect(str(path))
        except OSError:
            return False
    return True


def _address(text: str) -> PciAddress:
    try:
        return PciAddress.parse(text)
    except ValueError as error:
        raise ConfigError(str(error)) from None


def _print(title: str, found: Diagnosis) -> None:
    marks = UNICODE
    try:
        "".join(UNICODE.values()).encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        marks = ASCII
    print(title)
    for line in lines(found, marks):
        print(line.encode(sys.stdout.encoding or "ascii", "replace").decode(sys.stdout.encoding or "ascii"))
