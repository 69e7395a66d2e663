"""What is in an archive with an OCI image."""

from __future__ import annotations

import json
import tarfile

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, NamedTuple


class File(NamedTuple):
    """As the last layer that has it says."""

    mode: int
    mtime: int
    is_file: bool
    head: bytes


Files = dict[str, File]
_GONE = ".wh."


def configuration(archive: Path) -> dict[str, Any]:
    """How it is run, and its labels."""
    return _document(archive, _manifest(archive)["config"]["digest"])


def contents(archive: Path) -> Files:
    """The files and folders that a container sees."""
    found: Files = {}
    for layer in _manifest(archive)["layers"]:
        with _blob(archive, layer["digest"]) as blob, tarfile.open(fileobj=blob, mode="r|*") as tar:
            for member in tar:
                name = member.name.removeprefix("./")
                folder, _, last = name.rpartition("/")
                if last.startswith(_GONE):
                    gone = f"{folder}/{last.removeprefix(_GONE)}".lstrip("/")
                    found = {it: file for it, file in found.items() if it != gone and not it.startswith(f"{gone}/")}
                    continue
                data = tar.extractfile(member) if member.isreg() and name.endswith(".pyc") else None
                head = data.read(16) if data else b""
                found[name] = File(member.mode, int(member.mtime), member.isreg(), head)
    return found


def _manifest(archive: Path) -> dict[str, Any]:
    return _document(archive, _document(archive, "index.json")["manifests"][0]["digest"])


def _document(archive: Path, name: str) -> dict[str, Any]:
    with _blob(archive, name) as blob:
        document: dict[str, Any] = json.load(blob)
        return document


@contextmanager
def _blob(archive: Path, name: str) -> Iterator[IO[bytes]]:
    with tarfile.open(archive) as tar:
        blob = tar.extractfile(f"blobs/{name.replace(':', '/')}" if ":" in name else name)
        assert blob is not None
        yield blob
