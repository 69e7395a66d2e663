"""The files of the simulated node. What appears, changes or goes does so at once, as in sysfs."""

from __future__ import annotations

import itertools
import os
import shutil

from collections.abc import Mapping
from pathlib import Path


READ = 0o444
WRITE = 0o200
BOTH = 0o644


class Tree:
    """
    The folders `sys`, `proc` and `dev` below one root.

    New content is made in a hidden folder beside them and renamed into place, so that no reader meets half a
    file. Links and the nodes in /dev are made in place, for the sake of those who watch the folder.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.sysfs, self.proc, self.dev = (root / name for name in ("sys", "proc", "dev"))
        self._workshop = root / ".workshop"
        self._names = itertools.count()
        for folder in (self.sysfs, self.proc, self.dev, self._workshop):
            folder.mkdir(parents=True)

    def path_of(self, folder: Path) -> str:
        """The DEVPATH of a folder in sysfs."""
        return f"/{folder.relative_to(self.sysfs).as_posix()}"

    def folder(self, path: Path) -> Path:
        path.mkdir(parents=True, exist_ok=True)
        return path

    def attribute(self, path: Path, content: str | bytes, mode: int = READ) -> None:
        """Let *path* be a file with *content*; text ends with a newline."""
        raw = content if isinstance(content, bytes) else f"{content}\n".encode()
        new = self._workshop / str(next(self._names))
        file = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            os.write(file, raw)
            os.fchmod(file, mode)
        finally:
            os.close(file)
        new.rename(path)

    def attributes(self, folder: Path, contents: Mapping[str, str | int], mode: int = READ) -> None:
        for name, content in contents.items():
            self.attribute(folder / name, str(content), mode)

    def link(self, path: Path, target: Path) -> None:
        """A relative link, as the kernel makes them."""
        path.symlink_to(os.path.relpath(target, path.parent))

    def node(self, name: str, mode: int) -> None:
        """A device node. An ordinary file stands for it: making a real one is for root alone."""
        path = self.dev / name
        path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT, mode))
        path.chmod(mode)

    def fell(self, path: Path) -> None:
        """Remove a file, a link, or a folder with all that is in it; nothing there is as good."""
        if path.is_symlink() or path.is_file():
            path.unlink()
        elif path.is_dir():
            gone = self._workshop / str(next(self._names))
            path.rename(gone)
            shutil.rmtree(gone)

    def bury(self, path: Path) -> None:
        """Remove a folder, but keep its inode from being used again: what comes back at *path* is another one."""
        grave = self._workshop / str(next(self._names))
        path.rename(grave)
        for entry in grave.iterdir():
            self.fell(entry)

    def prune(self, path: Path) -> None:
        """Remove a folder that has nothing in it any more."""
        if path.is_dir() and not any(path.iterdir()):
            path.rmdir()
