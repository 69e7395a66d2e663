"""`kubectl pci map` with the real kubectl and an API server."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from anyio import to_thread

from pcidevices.api.crd import definitions
from pcidevices.api.v1beta1 import API_VERSION, NODE_LABEL
from pcidevices.kubectl import run_pci
from pcidevices.kubectl.objects import Claim, Device
from pcidevices.sim.apiserver import ApiServer
from tests.support.cluster_drawn import a_drawn_cluster


Map = Callable[..., Any]


def manifest(kind: str, thing: Device | Claim) -> dict[str, Any]:
    """What `kubectl apply` would be given, with the status that an agent would write."""
    built = json.loads(msgspec.json.encode(thing))
    spec = built.get("spec", {})
    labels = {NODE_LABEL: thing.place[0]}
    return {
        "apiVersion": API_VERSION,
        "kind": kind,
        "metadata": {"name": thing.name, "labels": labels},
        "spec": spec,
        "status": built["status"],
    }


@pytest.fixture
async def draw(tmp_path: Path) -> AsyncIterator[Map]:
    """`kubectl pci map` with the given words, in a cluster of three nodes."""
    server = ApiServer(definitions())
    devices, claims = a_drawn_cluster()
    async with server.serving():
        kubeconfig = tmp_path / "kubeconfig"
        kubeconfig.write_text(json.dumps(server.kubeconfig()))
        for kind, things in (("PCIDevice", devices), ("PCIDeviceClaim", claims)):
            for thing in things:
                server.apply(manifest(kind, thing))

        async def drawn(*words: str) -> int:
            return await to_thread.run_sync(run_pci, ["map", "--kubeconfig", str(kubeconfig), *words])

        yield drawn


async def test_the_page_of_the_whole_cluster_comes_on_standard_output(
    draw: Map, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    assert await draw() == 0

    page = capsysbinary.readouterr().out.decode()
    assert page.startswith("<!doctype html>")
    assert "3 nodes · 60 devices · seen " in page


async def test_the_drawing_of_one_node_goes_to_a_file(draw: Map, tmp_path: Path) -> None:
    file = tmp_path / "gpu-2.svg"

    assert await draw("-o", "svg", "--node", "gpu-2", "--output-file", str(file)) == 0
    texts = "".join(ET.fromstring(file.read_bytes()).itertext())
    assert "1 node · 20 devices · --node gpu-2" in texts
    assert "render/virt-launcher-blender-x7k2p" in texts


async def test_labels_choose_devices_and_no_claim_stands_alone(draw: Map, tmp_path: Path) -> None:
    file = tmp_path / "storage.html"

    assert await draw("-l", "nodename=storage-10", "--output-file", str(file)) == 0
    assert "1 node · 20 devices · -l nodename=storage-10" in file.read_text()


async def test_a_file_that_cannot_be_written_is_named(
    draw: Map, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await draw("--output-file", str(tmp_path / "nowhere" / "map.html")) == 1

    assert (
        capsys.readouterr().err == f"error: {tmp_path}/nowhere/map.html cannot be written: No such file or directory\n"
    )
