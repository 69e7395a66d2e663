"""Ways of applying the manifests, one after the other, on a real API server."""

from __future__ import annotations

import json
import os

from typing import TYPE_CHECKING

import pytest

from pcidevices import __version__
from tests.e2e.cluster import ROOT
from tests.e2e.policies.world import unpoliced
from tests.manifests.built import OVERLAYS


if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.e2e.cluster import Cluster


NAMESPACE = "--namespace=pcidevices-system"
DEFAULTED = "daemonsets,validatingadmissionpolicies,validatingadmissionpolicybindings"
IMAGE = "jsonpath={.spec.template.spec.containers[0].image}"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with unpoliced(tmp_path_factory.mktemp("applying") / "up") as (cluster, asking):
        asking.do("create", "/api/v1/namespaces", {"metadata": {"name": "harvester-system"}})
        yield cluster


@pytest.fixture
def cluster(running: Cluster) -> Iterator[Cluster]:
    """Without the objects that the server completes: the next test is the first to apply them."""
    yield running
    running.kubectl("delete", DEFAULTED, "--all", NAMESPACE)


def overlay(name: str) -> Path:
    return ROOT / "manifests/overlays" / name


def later(name: str, folder: Path) -> Path:
    """A user's own overlay in *folder*, with the image of a later version."""
    whole = {
        "resources": [os.path.relpath(overlay(name), folder.resolve())],
        "images": [{"name": "pcidevices", "newTag": "99.0.0"}],
    }
    (folder / "kustomization.yaml").write_text(json.dumps(whole))
    return folder


def image(cluster: Cluster) -> str:
    return cluster.kubectl("get", "daemonset", "pcidevices", NAMESPACE, "-o", IMAGE)


@pytest.mark.parametrize("name", OVERLAYS)
def test_an_upgrade_has_no_conflict_however_the_installation_was_applied(
    cluster: Cluster, name: str, tmp_path: Path
) -> None:
    """Client-side once, then server-side as documented: the same manifests, and those of a later version."""
    cluster.kubectl("apply", "-k", overlay(name))
    cluster.kubectl("apply", "--server-side", "-k", overlay(name))
    cluster.kubectl("apply", "--server-side", "-k", later(name, tmp_path))

    assert image(cluster) == "pcidevices:99.0.0"


def test_the_documented_way_back_has_no_conflict_and_leads_to_none(cluster: Cluster, tmp_path: Path) -> None:
    """To the version before, and then to the later one again."""
    images = []
    for folder in (later("plain", tmp_path), overlay("plain"), tmp_path):
        cluster.kubectl("apply", "--server-side", "-k", folder)
        images.append(image(cluster))

    assert images == ["pcidevices:99.0.0", f"pcidevices:{__version__}", "pcidevices:99.0.0"]
