"""What `kubectl kustomize` makes of the manifests."""

from __future__ import annotations

import os
import subprocess
import sys

from functools import cache
from pathlib import Path
from typing import Any

import yaml


ROOT = Path(__file__).parents[2]
OVERLAYS = tuple(sorted(path.parent.name for path in ROOT.glob("manifests/overlays/*/kustomization.yaml")))
COMPONENTS = tuple(sorted(path.parent.name for path in ROOT.glob("manifests/components/*/kustomization.yaml")))

Object = dict[str, Any]


@cache
def built(folder: Path) -> tuple[Object, ...]:
    """All objects of a kustomization."""
    command = [str(Path(sys.executable).with_name("kubectl")), "kustomize", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert not done.stderr, "kustomize warns of nothing"
    return tuple(yaml.safe_load_all(done.stdout))


def overlay(name: str) -> tuple[Object, ...]:
    return built(ROOT / "manifests/overlays" / name)


def composed(folder: Path, *components: str, onto: str = "base") -> tuple[Object, ...]:
    """The base, or an overlay, with components in this order: an overlay of a user's own, in their *folder*."""
    beside = Path(os.path.relpath(ROOT, folder.resolve())) / "manifests"  # kustomize takes no absolute paths
    whole = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": [str(beside / onto)],
        "components": [str(beside / "components" / name) for name in components],
    }
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(whole))
    return built(folder)


def only(objects: tuple[Object, ...], kind: str, name: str = "") -> Object:
    """The one object of a kind, or of a kind and a name."""
    (found,) = (one for one in objects if one["kind"] == kind and name in {"", one["metadata"]["name"]})
    return found


def agent(objects: tuple[Object, ...]) -> tuple[Object, Object]:
    """The pod of the DaemonSet and its container."""
    pod: Object = only(objects, "DaemonSet")["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    return pod, container
