"""A person with kubectl, pipx and the wheel claims, uses and gives back a device, as the tutorial tells."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import time

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import yaml

from tests.docs.pages import page
from tests.docs.transcript import Call, calls
from tests.e2e.cluster import BIN, ROOT
from tests.e2e.test_kubelet_rig import EXTRAS, OFTEN, Rig, hack, running
from tests.e2e.workstation import Workstation, a_workstation


pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="a node takes root")

PAGE = page("docs/tutorial/claim-with-kubectl.md")
FOLDER = "/tmp/pci"
"""As the page calls it; the test has one of its own."""
IN_THE_CHECKOUT = ("hack/", ".venv/bin/")
HERE_ALREADY = ("hack/setup", "export ")
LOOKS = ("kubectl pci ", "kubectl get ")
PATIENCE = 60.0
GPU, SOUND = "nvidia.com/GP106_GEFORCE_GTX_1060_3GB", "nvidia.com/GP106_HIGH_DEFINITION_AUDIO_CONTROLLER"


def typed(*, in_the_checkout: bool) -> list[Call]:
    """What the page types to make a cluster, or on somebody's own machine."""
    found = [call for call in calls(PAGE) if not call.command.startswith(HERE_ALREADY)]
    return [call for call in found if call.command.startswith(IN_THE_CHECKOUT) is in_the_checkout]


@pytest.fixture(scope="module")
def rig() -> Iterator[Rig]:
    """The cluster of the page, with its agent; the kubelet tells more often what it has."""
    built = hack("cluster", "build", "etcd", "kube-apiserver", *EXTRAS)
    if "no go on PATH" in built.stderr:
        pytest.skip(built.stderr.strip())
    with TemporaryDirectory(prefix="pci") as folder:
        place = Path(folder)
        commands = [call.command.replace(FOLDER, folder) for call in typed(in_the_checkout=True)]
        up, define, agent = (command.replace(".venv/bin", str(BIN)) for command in commands)
        *start, options = up.split(maxsplit=4)
        assert start == ["hack/cluster", "up", "--dir", folder]
        with running(place, *options.split(), OFTEN) as rig:
            subprocess.run(["bash", "-c", define], check=True, cwd=ROOT, stdout=subprocess.DEVNULL)
            rig.wait_until_defined()
            with process(shlex.split(agent), place / "agent.log"):
                yield rig


@contextmanager
def process(command: Sequence[str], log: Path) -> Iterator[None]:
    """A program that runs until it is told to end, and ends in order."""
    with log.open("wb") as file:
        started = subprocess.Popen(command, stderr=file)
    try:
        yield
        assert started.poll() is None, f"it ended by itself: {log.read_text()[-2000:]}"
    finally:
        started.send_signal(signal.SIGTERM)
        status = started.wait(30)
    assert status == 0, log.read_text()[-2000:]


@pytest.fixture(scope="module")
def station() -> Iterator[Workstation]:
    with TemporaryDirectory(prefix="station") as folder:
        yield a_workstation(Path(folder))


def test_the_tutorial_happens_as_it_is_told(station: Workstation, rig: Rig) -> None:
    """Installed, claimed, used, refused, given back: each line of the page is among what the command says."""
    said = {}
    for call in typed(in_the_checkout=False):
        begun = time.monotonic()
        said[call.command] = answer(call, station, rig)
        print(f"{time.monotonic() - begun:5.1f} s  {call.command.partition(chr(10))[0]}")

    (given,) = rig.created("render")
    asked = yaml.safe_load(said["kubectl pci pod 5e:00.0"])
    (applied,) = (one for one in said if one.startswith("kubectl apply"))
    (container,) = yaml.safe_load("".join(applied.splitlines(keepends=True)[1:-1]))["spec"]["containers"]
    assert container == {"name": "main", "image": given["image"], **asked}, "the pod asks for what the tool has printed"
    assert asked["resources"]["limits"] == {GPU: "1", SOUND: "1"}
    assert [device["hostPath"] for device in given["devices"]] == ["/dev/vfio/vfio", "/dev/vfio/15"]
    assert not given["privileged"]
    assert json.loads(rig.kubectl("get", "pciclaim", "-o", "json"))["items"] == []


def answer(call: Call, station: Workstation, rig: Rig) -> str:
    """What a person reads who types it; a look is repeated, as the agent looks at pods every ten seconds."""
    command = call.command.replace(FOLDER, str(rig.folder))
    deadline = time.monotonic() + PATIENCE
    while True:
        done = station.types(command, kubeconfig=rig.kubeconfig)
        missing = call.missing_in(done.stdout + done.stderr)
        if not missing or not call.command.startswith(LOOKS) or time.monotonic() > deadline:
            break
        time.sleep(0.2)  # waits: nothing tells when the agent has looked
    told = f"$ {call.command}\n{done.stdout}{done.stderr}"
    assert missing == [], told
    assert (done.returncode != 0) is call.is_refused, told
    return done.stdout
