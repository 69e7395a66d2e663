"""A guest that is the node of a cluster on this machine."""

from __future__ import annotations

import json
import os
import subprocess
import time

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.cluster import ROOT, Cluster, running_control_plane


Report = dict[str, Any]


@contextmanager
def awaiting_a_guest(folder: Path, *programs: str) -> Iterator[Cluster]:
    """A cluster with our definitions, whose only node will be a guest with these programs."""
    build = [str(ROOT / "hack/cluster"), "build", "etcd", "kube-apiserver", "kubelet", "pause", "relay", *programs]
    built = subprocess.run(build, capture_output=True, text=True, check=False)
    if "no go on PATH" in built.stderr:
        pytest.skip(built.stderr.strip())
    assert built.returncode == 0, built.stderr
    with running_control_plane(folder, "--node-name", "guest") as cluster:
        cluster.define()
        cluster.kubectl("get", "pcidevices,pcideviceclaims")  # the first watch of a new kind may be refused
        yield cluster


def a_life(cluster: Cluster, out: Path, script: str, *words: str | Path) -> Report:
    """What a guest noted, from its boot to its end."""
    rig: list[str | Path] = [
        ROOT / "hack/vm",
        "--kernel=6.12",
        "--numa",
        f"--out={out}",
        "--timeout=900",
        f"--env=QEMU={_qemu()}",
    ]
    begun = time.monotonic()
    command: list[str | Path] = ["python3", f"tests/e2e/guest/{script}.py", cluster.folder, *words]
    subprocess.run([*rig, "--", *command], check=True, cwd=ROOT)
    report: Report = json.loads((out / "report.json").read_text())
    report["seconds: the whole life"] = round(time.monotonic() - begun, 1)
    print(json.dumps(report, indent=1))
    return report


def _qemu() -> Path:
    """The rig's own, which runs in the guest as well."""
    caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Path(os.environ.get("PCIDEVICES_CACHE") or caches / "pcidevices").resolve() / "rig/qemu-10"
