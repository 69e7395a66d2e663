"""A simulated node in place of this one's hardware: what `agent --simulate` and the demo run over."""

from __future__ import annotations

import os
import shutil
import tempfile

from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import structlog

from anyio import create_task_group, sleep, sleep_forever, to_thread

from pcidevices.adapters.sysfs.modules import ANY_DEVICE
from pcidevices.adapters.sysfs.patience import in_a_thread
from pcidevices.adapters.sysfs.pciids import PciIds
from pcidevices.errors import ConfigError, DriverMissing
from pcidevices.runtime.threads import on_the_loop
from pcidevices.settings import BUILTIN
from pcidevices.sim.kubelet import SimulatedKubelet, report
from pcidevices.sim.node import NodeSpec, SimulatedNode, SpecError, builtin_pci_ids, builtin_spec, load_spec


log = structlog.get_logger()

_LOOK_AT_FILE_EVERY = 0.5
_REPORT_EVERY = 1.0
_ROOM = 256 << 20


class Simulation:
    """
    Implements the port `HintSource`: the simulated kernel's uevents, and a person who edits the node's file.

    A device added to the file is plugged, one removed is unplugged, as soon as the file is saved.
    """

    def __init__(self, node: SimulatedNode, spec_file: Path | None, pci_ids: PciIds) -> None:
        self.node = node
        self.pci_ids = pci_ids
        self.sysfs = node.sysfs
        self._spec_file = spec_file

    async def run(self, hint: Callable[[str], None]) -> None:
        soon = on_the_loop(hint)
        unsubscribe = self.node.subscribe(lambda _: soon("uevent"))
        try:
            if self._spec_file is None:
                await sleep_forever()
            else:
                await self._follow(self._spec_file)
        finally:
            unsubscribe()

    async def _follow(self, spec_file: Path) -> None:
        before = _stamp(spec_file)
        while True:
            await sleep(_LOOK_AT_FILE_EVERY)
            now = _stamp(spec_file)
            if now == before:
                continue
            before = now
            try:
                spec = load_spec(spec_file)
            except (SpecError, OSError) as error:
                log.warning("node.misdescribed", path=str(spec_file), error=str(error))
                continue
            await to_thread.run_sync(self.node.reload, spec)
            log.info("node.reloaded", path=str(spec_file), devices=len(spec.devices))


class SimulatedModules:
    """Implements `Modules` with what loads a simulated node's; it knows no variant of vfio_pci."""

    def __init__(self, load: Callable[[str], None]) -> None:
        self._load = load

    def vfio_driver(self, modalias: str) -> str:  # noqa: ARG002  one takes any device
        return ANY_DEVICE

    def vfio_modules(self) -> frozenset[str]:
        return frozenset({ANY_DEVICE})

    def has(self, module: str) -> bool | None:  # noqa: ARG002  only an attempt tells
        return None

    async def load(self, name: str) -> None:
        if name.startswith("pci:"):
            return  # a simulated node has the drivers of its devices from the moment that they are plugged
        try:
            await in_a_thread(lambda: self._load(name))
        except FileNotFoundError as error:
            raise DriverMissing(f"{name} cannot be loaded: the simulated node has no such module") from error


@contextmanager
def simulated_node(spec: str, *, pci_ids: Path | None) -> Iterator[Simulation]:
    """
    A node made of the file *spec*, or the built-in one, in a temporary folder.

    Raises:
        ConfigError: the file cannot be read or describes no node.
    """
    spec_file = None if spec == BUILTIN else Path(spec)
    described = _described(spec_file)
    with tempfile.TemporaryDirectory(prefix="pcidevices-node-", dir=_in_memory()) as folder:
        node = SimulatedNode(Path(folder), described)
        try:
            yield Simulation(node, spec_file, PciIds(pci_ids or builtin_pci_ids()))
        finally:
            node.close()


@asynccontextmanager
async def simulated_kubelet(
    folder: Path, patch_node: Callable[[Mapping[str, Any]], object] | None
) -> AsyncIterator[SimulatedKubelet]:
    """A kubelet in *folder*; what it has to say of its node goes to *patch_node*, if there is one."""
    async with SimulatedKubelet(folder) as kubelet, create_task_group() as tg:
        if patch_node is not None:
            tg.start_soon(partial(report, kubelet, patch_node, every=_REPORT_EVERY))
        yield kubelet
        tg.cancel_scope.cancel()


def _in_memory() -> Path | None:
    """A place for thousands of small files that no disk needs to see; None where there is none with room."""
    shm = Path("/dev/shm")  # noqa: S108  the folder below it gets a name of its own
    has_room = shm.is_dir() and os.access(shm, os.W_OK) and shutil.disk_usage(shm).free > _ROOM
    return shm if has_room else None


def _described(spec_file: Path | None) -> NodeSpec:
    try:
        return builtin_spec() if spec_file is None else load_spec(spec_file)
    except SpecError as error:
        raise ConfigError(f"--simulate: {spec_file}: {error}") from error
    except OSError as error:
        raise ConfigError(f"--simulate: {spec_file}: {error.strerror}") from error


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_ino
