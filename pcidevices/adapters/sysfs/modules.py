"""The host's kernel modules: which one hands a device to virtual machines, and `modprobe`."""

from __future__ import annotations

import os
import re
import subprocess

from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Protocol

from anyio import Lock, move_on_after

from pcidevices.errors import DriverMissing, HostExhausted, WriteTimedOut

from .files import OUT_OF_PROCESSES, unless_out_of_means
from .patience import in_a_thread


ANY_DEVICE = "vfio_pci"
"""The module that takes any device; those that know some devices better are its variants."""

PATIENCE = 30.0
"""Seconds for one `modprobe`: a driver's start probes its devices one after another."""

_LISTS = ("modules.dep", "modules.builtin")
"""What depmod and the kernel's build leave: every module that can be loaded, and those that need not be."""

_PREFIX = "vfio_pci:"
_START = f"alias {_PREFIX}".encode()
_MODULE = re.compile(r"(?!-)[A-Za-z0-9_-]+")
_ALIAS = re.compile(r"pci:[A-Za-z0-9]+")


class Modules(Protocol):
    """What has to be known of kernel modules, and done with them."""

    def vfio_driver(self, modalias: str) -> str:
        """The module whose driver would have a device with this modalias for virtual machines. May block shortly."""
        ...

    def vfio_modules(self) -> frozenset[str]:
        """All modules with such drivers, as far as they are listed. May block shortly."""
        ...

    def has(self, module: str) -> bool | None:
        """Whether there is such a module to be loaded; None when that cannot be known. May block shortly."""
        ...

    async def load(self, name: str) -> None:
        """
        Load a module, or what an alias such as ``pci:v…`` stands for; one that is there is as good.

        Raises:
            DriverMissing: there is none.
            WriteTimedOut: that has not come to an end.
        """
        ...


class KernelModules:
    """Implements `Modules` with what depmod has left below *root*, which is the host's ``/lib/modules``."""

    def __init__(self, root: Path, *, modprobe: str = "modprobe", patience: float = PATIENCE) -> None:
        self._root = root
        self._modprobe = modprobe
        self._patience = patience
        self._aliases_file = root / os.uname().release / "modules.alias"
        self._aliases: tuple[int | None, list[tuple[str, str]]] = (None, [])
        self._lock = Lock()
        self._under_way: set[str] = set()

    def vfio_driver(self, modalias: str) -> str:
        wanted = _PREFIX + modalias.removeprefix("pci:")
        # As libvirt does: the fewest wildcards know the device best.
        fitting = [(pattern.count("*"), module) for pattern, module in self._listed() if fnmatchcase(wanted, pattern)]
        return min(fitting, default=(0, ANY_DEVICE))[1]

    def vfio_modules(self) -> frozenset[str]:
        return frozenset(module for _, module in self._listed()) | {ANY_DEVICE}

    def has(self, module: str) -> bool | None:
        known = [
            found for name in _LISTS if (found := self._lists(self._aliases_file.with_name(name), module)) is not None
        ]
        return any(known) if known else None

    async def load(self, name: str) -> None:
        if not (_MODULE.fullmatch(name) or _ALIAS.fullmatch(name)):
            raise DriverMissing(f"{name!r} is not the name of a kernel module")
        async with self._lock:  # sixty claims want the same module at once; the first loads it
            if name in self._under_way:
                raise WriteTimedOut(f"modprobe {name} has not come to an end; look into the kernel's log")
            self._under_way.add(name)
            ended = None
            with move_on_after(self._patience):
                ended = await in_a_thread(lambda: self._run(name))
        if ended is None:
            raise WriteTimedOut(
                f"modprobe {name} has not come to an end after {self._patience:g} s; look into the kernel's log"
            )
        if ended.returncode:
            said = ended.stderr.decode(errors="replace").strip() or f"exit status {ended.returncode}"
            raise DriverMissing(f"{name} cannot be loaded: {said}; are the host's modules in {self._root}?")

    def _run(self, name: str) -> subprocess.CompletedProcess[bytes]:
        command = [self._modprobe, *self._where(), "--", name]
        try:
            return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)  # noqa: S603  no shell, and the name was checked
        except OSError as error:
            if error.errno in OUT_OF_PROCESSES:
                raise HostExhausted(f"modprobe {name} cannot be started: {error.strerror}") from error
            raise DriverMissing(
                f"{name} cannot be loaded: {self._modprobe}: {error.strerror}; install kmod, or load it on the host"
            ) from error
        finally:
            self._under_way.discard(name)

    def _where(self) -> tuple[str, ...]:
        """What modprobe must be told of another folder than its own; to this it adds ``lib/modules`` by itself."""
        if self._root == Path("/lib/modules"):
            return ()
        if self._root.parts[-2:] != ("lib", "modules"):
            raise DriverMissing(
                f"modprobe finds modules only in a folder that ends in lib/modules, not in {self._root}"
            )
        return ("-d", str(self._root.parent.parent))

    def _lists(self, path: Path, module: str) -> bool | None:
        name = re.escape(module.replace("-", "_")).replace("_", "[-_]").encode()
        try:  # some thousand lines, at each look while the driver is missing: not one by one
            return re.search(rb"(?m)^(?:[^:\n]*/)?%b(?:\.[^/:\n]*)?(?::|$)" % name, path.read_bytes()) is not None
        except OSError as error:
            unless_out_of_means(error)
            return None

    def _listed(self) -> list[tuple[str, str]]:
        """Each alias of VFIO and its module. The file is read again when it has changed."""
        try:
            stamp = self._aliases_file.stat().st_mtime_ns
            if stamp != self._aliases[0]:
                with self._aliases_file.open("rb") as lines:
                    self._aliases = stamp, list(vfio_aliases(lines))
        except OSError as error:  # what was known of the modules holds for those that are loaded
            unless_out_of_means(error)
        return self._aliases[1]


def vfio_aliases(lines: Iterable[bytes]) -> Iterator[tuple[str, str]]:
    """Pattern and module of each line of ``modules.alias`` that concerns VFIO; damaged lines are passed over."""
    for line in lines:
        if not line.startswith(_START):
            continue
        match line.decode(errors="replace").split():
            case ["alias", pattern, module] if _MODULE.fullmatch(module):
                yield pattern, module.replace("-", "_")
