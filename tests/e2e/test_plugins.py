"""The plug-ins as they are installed: from the wheel, in an environment with nothing but what they need."""

from __future__ import annotations

import os
import re
import subprocess
import sys

from collections.abc import Iterator
from pathlib import Path

import pytest

from pcidevices.sim.node import BUILTIN_SPEC
from tests.docs.pages import page
from tests.e2e.cluster import BIN, ROOT, Cluster, running_agent, running_cluster


PAGE = "docs/tutorial/claim-with-kubectl.md"
DEVICES = 23
NEEDED = ("msgspec", "pyyaml")
"""Distributions; the agent's other libraries are not there, and not missed."""
COMMAND = "$ "
NOT_HERE = ("./hack/demo", "export ")


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the plug-ins of the built wheel, and kubectl."""
    folder = tmp_path_factory.mktemp("wheel")
    pins = folder / "requirements.txt"
    pins.write_text(_pins((ROOT / "hack/requirements/runtime.txt").read_text()))
    venv = folder / "venv"
    pip = [
        sys.executable,
        "-m",
        "pip",
        "--quiet",
        "--disable-pip-version-check",
        "--python",
        venv / "bin/python",
        "install",
    ]
    for command in (
        [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", folder],
        [sys.executable, "-m", "venv", "--without-pip", venv],
        [*pip, "--require-hashes", "--only-binary", ":all:", "--requirement", pins],
    ):
        subprocess.run([str(word) for word in command], check=True, cwd=ROOT, stdout=subprocess.DEVNULL)
    wheel = next(folder.glob("*.whl"))
    subprocess.run([str(word) for word in (*pip, "--no-deps", "--no-index", wheel)], check=True)
    (venv / "bin/kubectl").symlink_to(BIN / "kubectl")
    return venv / "bin"


def _pins(requirements: str) -> str:
    """The pins, with their hashes, of what is needed."""
    blocks = re.findall(r"^[A-Za-z].*(?:\n[ \t]+.*)*", requirements, re.MULTILINE)
    return "\n".join(block for block in blocks if re.split(r"[=\[ ]", block)[0].lower() in NEEDED) + "\n"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A real API server, and the agent of the node that the demo has."""
    folder = tmp_path_factory.mktemp("plugins")
    with running_cluster(folder / "cluster") as cluster:
        cluster.kubectl("create", "-f", "-", given={"apiVersion": "v1", "kind": "Node", "metadata": {"name": "janus"}})
        with running_agent(folder, "janus", kubeconfig=cluster.kubeconfig, spec=BUILTIN_SPEC.read_text()) as agent:
            agent.wait_for_event("device.published", count=DEVICES)
            yield cluster


def transcript() -> list[tuple[str, list[str]]]:
    """What the page types, and what it shows as the answer."""
    calls: list[tuple[str, list[str]]] = []
    for block in page(PAGE).blocks:
        for line in block.text.splitlines():
            if line.startswith(COMMAND):
                calls.append((line.removeprefix(COMMAND), []))
            elif calls:
                calls[-1][1].append(line)
    return [call for call in calls if not call[0].startswith(NOT_HERE)]


def squeezed(line: str) -> str:
    return " ".join(line.split())


def test_the_tutorial_happens_as_it_is_told(programs: Path, cluster: Cluster) -> None:
    """Claimed, shown, refused, given back: each line of the page is among what the command says."""
    environment = {
        "PATH": f"{programs}{os.pathsep}/usr/bin{os.pathsep}/bin",
        "HOME": str(cluster.folder),
        "KUBECONFIG": str(cluster.kubeconfig),
        "LC_ALL": "C.UTF-8",
    }
    calls = transcript()
    assert len(calls) > 8, "the page has lost its commands"

    for command, expected in calls:
        done = subprocess.run(
            ["bash", "-c", command], env=environment, capture_output=True, text=True, check=False, timeout=90
        )
        said = {squeezed(line) for line in (done.stdout + done.stderr).splitlines()}
        missing = [line for line in map(squeezed, expected) if line not in said]
        assert missing == [], f"$ {command}\n{done.stdout}{done.stderr}"

    assert cluster.kubectl("get", "pciclaim", "-o", "name") == ""
    assert {device["status"].get("kernelDriverInUse") for device in cluster.devices("janus").values()} >= {"nouveau"}
