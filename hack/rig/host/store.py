"""
What was fetched and unpacked, kept outside the checkout.

A folder of the store is made once, by whoever comes first, under a lock. It is made beside its place and renamed at the
end: a folder that is there is whole, however the set-up ended.
"""

import fcntl
import os
import shutil
import sys

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


class Store:
    """Folders below `root`."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def folder(self, name: str, make: Callable[[Path], None]) -> Path:
        """The folder `name`; `make` fills it when it is not there yet."""
        path = self.root / name
        if not path.is_dir():
            with self.lock():
                if not path.is_dir():
                    for left_over in self.root.glob(f".{name}.*"):
                        shutil.rmtree(left_over, ignore_errors=True)
                    half_done = self.root / f".{name}.{os.getpid()}"
                    half_done.mkdir()
                    make(half_done)
                    half_done.rename(path)
        return path

    @contextmanager
    def lock(self) -> Iterator[None]:
        """One set-up at a time. The lock goes with the process that holds it. Not reentrant."""
        self.root.mkdir(parents=True, exist_ok=True)
        with (self.root / "lock").open("a") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                print("vm: waiting for another set-up", file=sys.stderr)
                fcntl.flock(file, fcntl.LOCK_EX)
            yield


def standard_store() -> Store:
    """`${PCIDEVICES_CACHE:-${XDG_CACHE_HOME:-~/.cache}/pcidevices}/rig`."""
    caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Store(Path(os.environ.get("PCIDEVICES_CACHE") or caches / "pcidevices").resolve() / "rig")
