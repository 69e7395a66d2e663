"""Scenarios of a node that boots while claims and pods stand. Standard library only."""

from __future__ import annotations

import shutil
import time

from pathlib import Path

import rig

from tests.e2e.guest.agent import OUT, Object, name_of
from tests.e2e.guest.node import FOLDER, START, Chain, after
from tests.e2e.guest.numa import CARDS
from tests.e2e.guest.scene import DATA_DISK, GPU, SOUND, state


OTHERS = (DATA_DISK, GPU, SOUND)
STANDING = (*CARDS, *OTHERS)
PODS = ("vm", "pair")


def before_a_boot(chain: Chain, facts: Object) -> None:
    """Claims and pods that stand when the machine ends; what kubelet has written down is kept for the next one."""
    scene = chain.scene
    facts["home"] = state(*OTHERS)
    scene.claim(*OTHERS)
    chain.start("vm", *OTHERS)
    chain.start("pair", *CARDS, count=2)
    facts["claimed"] = state(*STANDING)
    facts["written down"] = chain.written_down()
    shutil.copytree(FOLDER / "kubelet", OUT / "kubelet", ignore=_sockets)


def claims_stand(chain: Chain, facts: Object) -> None:
    """The same claims, without anybody's doing; what the server says of them may still be from before."""
    scene = chain.scene
    rig.wait_until(lambda: all(rig.driver(it) == "vfio-pci" for it in STANDING), timeout=START)
    facts["seconds: the agent's start to vfio-pci"] = after(scene.agent.begun)
    facts["seconds: the agent's start to Ready"] = after(scene.agent.begun, scene.ready(*STANDING))
    facts["seconds: the agent's start to counted"] = after(scene.agent.begun, chain.counted(*STANDING))
    chain.allocatable(CARDS[0], count=len(CARDS))
    facts["seconds: the agent's start to allocatable"] = after(scene.agent.begun, chain.allocatable(*OTHERS))
    facts["claimed"] = state(*STANDING)
    facts["claims"] = sorted(scene.api.claims)


def pods_end(chain: Chain, facts: Object) -> None:
    """Kubelet may have looked at the pods before it had any device, and refused them; others get all they had."""
    facts["came to"] = {pod: _outcome(chain, pod) for pod in PODS}
    chain.end(*PODS)
    facts["seconds: the pods' end to nobody uses them"] = after(time.monotonic(), chain.used_by(*STANDING, pods=[]))
    chain.start("again", *OTHERS)
    chain.start("all", *CARDS, count=2)
    chain.used_by(*OTHERS, pods=["default/again"])
    facts["given"] = {pod: chain.addresses_of(pod) for pod in ("again", "all")}
    chain.end("again", "all")


def all_goes_home(chain: Chain, facts: Object) -> None:
    """The claims are deleted, on another boot than they were made."""
    facts["claims"] = sorted(map(name_of, STANDING))
    facts["seconds"] = round(chain.scene.give_back(*STANDING), 2)
    facts["after"] = state(*STANDING)


def _outcome(chain: Chain, pod: str) -> str:
    """What kubelet makes of a pod that was there before it: its word for why not, or that it runs."""

    def outcome() -> str:
        status = chain.api.pods[pod]["status"]
        return str(status["reason"]) if status["phase"] == "Failed" else "Running" if chain.created(pod) else ""

    return str(rig.wait_until(outcome, timeout=START))


def _sockets(folder: str, names: list[str]) -> list[str]:
    return [name for name in names if Path(folder, name).is_socket()]
