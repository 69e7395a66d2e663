"""Images at rest and in the making: buildah, with a storage of its own outside the tree."""

from __future__ import annotations

import contextlib
import fcntl
import os

from pathlib import Path
from typing import TYPE_CHECKING

from .failure import ImageError
from .programs import run


if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


class Storage:
    """What is in it can be lost at any time: everything is made again."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.root.mkdir(parents=True, exist_ok=True)

    def buildah(self, *words: str | Path, to_see: bool = False) -> str:
        """Have it do something."""
        where = (f"--root={self.root / 'storage'}", f"--runroot={self.root / 'run'}", "--storage-driver=overlay")
        return run(["buildah", *where, *words], to_see=to_see).strip()

    def has(self, name: str) -> bool:
        """Whether an image is there."""
        with contextlib.suppress(ImageError):
            return bool(self.buildah("images", "--quiet", name))
        return False

    def add_layer(self, name: str, tar: Path) -> None:
        """Make an image of one layer."""
        container = self.buildah("from", "scratch")
        try:
            self.buildah("add", "--quiet", container, tar, "/")
            self.buildah("config", "--cmd", "/bin/sh", container)
            self.buildah("commit", "--quiet", container, name)
        finally:
            self.buildah("rm", container)

    def build(self, name: str, context: Path, *, arguments: Mapping[str, str], options: list[str]) -> None:
        """What the Containerfile says. A RUN has this machine's network and no other privilege."""
        given = [f"--build-arg={key}={value}" for key, value in arguments.items()]
        how = ["--isolation=chroot", "--layers", "--quiet", *options]
        self.buildah("bud", *how, *given, f"--tag={name}", f"--file={context / 'Containerfile'}", context, to_see=True)

    def save(self, name: str, archive: Path) -> None:
        """Write an image to an archive, whole or not at all."""
        draft = archive.with_suffix(".new")
        draft.unlink(missing_ok=True)
        self.buildah("push", "--quiet", name, f"oci-archive:{draft}:{name}")
        draft.rename(archive)

    def prune(self) -> None:
        """Forget what no image with a name is made of: layers of earlier builds."""
        self.buildah("rmi", "--prune", "--force")

    @contextlib.contextmanager
    def mounted(self, name: str) -> Iterator[Path]:
        """The files of an image."""
        container = self.buildah("from", "--pull-never", name)
        try:
            yield Path(self.buildah("mount", container))
        finally:
            self.buildah("rm", container)

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """One build at a time."""
        with (self.root / "lock").open("a") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


def standard_storage() -> Storage:
    """`${PCIDEVICES_CACHE:-${XDG_CACHE_HOME:-~/.cache}/pcidevices}/image`."""
    caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Storage(Path(os.environ.get("PCIDEVICES_CACHE") or caches / "pcidevices").resolve() / "image")
