"""The folder of one cluster, and what its commands tell each other through it."""

from __future__ import annotations

import json

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

from .failure import RigError
from .processes import Process


if TYPE_CHECKING:
    from pathlib import Path


@dataclass(slots=True)
class Place:
    """Where a cluster lives, what stays the same as long as it does, and what was started."""

    folder: Path
    node_name: str
    also_at: list[str]
    binaries: dict[str, str]
    tokens: dict[str, str]
    parts: list[str] = field(default_factory=lambda: ["etcd", "kube-apiserver"])  # the components it has
    cache: str = ""  # where programs are kept, for a guest that sees the same files
    server: str = "127.0.0.1"  # where the API server is reached
    kubelet: dict[str, object] = field(default_factory=dict)  # what its configuration says besides ours
    ports: dict[str, int] = field(default_factory=dict)
    processes: dict[str, Process] = field(default_factory=dict)

    @property
    def keys(self) -> Path:
        """Keys, certificates, tokens."""
        return self.folder / "keys"

    @property
    def run(self) -> Path:
        """Where programs work and leave their sockets."""
        return self.folder / "run"

    @property
    def kubeconfig(self) -> Path:
        """The administrator's."""
        return self.folder / "kubeconfig"

    def log(self, name: str) -> Path:
        """What a program says."""
        return self.folder / "log" / f"{name}.log"

    def runs(self, name: str) -> bool:
        """Whether a program that was started still runs."""
        return name in self.processes and self.processes[name].runs()

    def save(self) -> None:
        """Write it down, whole or not at all."""
        draft = record(self.folder).with_suffix(".new")
        draft.touch(mode=0o600)  # it holds the tokens
        draft.write_text(json.dumps({**asdict(self), "folder": str(self.folder)}, indent=1) + "\n")
        draft.rename(record(self.folder))


def record(folder: Path) -> Path:
    """The file that makes a folder a cluster's."""
    return folder / "cluster.json"


def load(folder: Path) -> Place | None:
    """The cluster of this folder, if it has one."""
    try:
        facts = json.loads(record(folder).read_text())
        facts["processes"] = {name: Process(**process) for name, process in facts["processes"].items()}
        return Place(**{**facts, "folder": folder})
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise RigError(f"{record(folder)} is not what this version writes") from error
