"""Scenario: the agent is killed at random moments while claims come and go. Standard library only."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import time

from collections import Counter
from pathlib import Path

import rig

from tests.e2e.guest.agent import PATIENCE, Log, Object, agent_arguments, name_of
from tests.e2e.guest.scene import NIC, SPARE, TWIN, Scene, seconds, state


KILLS = int(os.environ.get("PCIDEVICES_TEST_KILLS") or 5)
STARTER = [".venv/bin/python", "tests/e2e/guest/preloaded.py"]
LONGEST = 2.5
"""Seconds from the last change of a claim to the kill; a claim takes less, also when the machine is busy."""


class Forked(Log):
    """An agent that begins where its imports have ended."""

    def __init__(self, starter: subprocess.Popen[str], kubeconfig: Path) -> None:
        super().__init__("killed-agents.log")
        self._starter = starter
        self.begun = time.monotonic()
        self._pid = int(self._ask([str(self.path), *agent_arguments(kubeconfig)]))

    def kill(self) -> None:
        os.kill(self._pid, signal.SIGKILL)
        assert self._said() == "ended"

    def wait_for_sync(self) -> float:
        """Wait for it; the seconds from its start."""
        rig.wait_until(lambda: self.events("agent.synced"), timeout=PATIENCE)
        return time.monotonic() - self.begun

    def _ask(self, words: list[str]) -> str:
        assert self._starter.stdin is not None
        self._starter.stdin.write(json.dumps(words) + "\n")
        self._starter.stdin.flush()
        return self._said()

    def _said(self) -> str:
        assert self._starter.stdout is not None
        return self._starter.stdout.readline().strip()


def killed_at_any_moment(scene: Scene, facts: Object) -> None:
    """
    The next agent always comes to the same end: what is claimed is Ready, what is not is where it was.

    It comes last, for no agent runs after it: each start takes half a minute here.
    """
    facts["SIGTERM to the end"] = round(scene.agent.stop(), 2)
    with subprocess.Popen(STARTER, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as starter:
        try:
            _rounds(scene, facts, starter)
        finally:
            starter.kill()


def _rounds(scene: Scene, facts: Object, starter: subprocess.Popen[str]) -> None:
    seed = int(os.environ.get("PCIDEVICES_TEST_SEED") or time.time())
    facts |= {"seed": seed, "kills": 0, "kills while it started": 0, "rounds": 0}
    chance = random.Random(seed)
    devices = (NIC, TWIN, SPARE)
    home = {address: driver for address, (driver, _) in state(*devices).items()}
    wanted: set[str] = set()
    starts: list[float] = []
    ends: list[float] = []
    at_steps: Counter[int] = Counter()
    agent = Forked(starter, scene.kubeconfig)
    agent.wait_for_sync()
    while facts["kills"] < KILLS:
        since = agent.position()
        _come_and_go(scene, chance, devices, wanted)
        time.sleep(chance.uniform(0, LONGEST))  # waits: any moment will do
        agent.kill()
        facts["kills"] += 1
        at_steps[len(agent.events("step.taken", since=since))] += 1
        if chance.random() < 0.5:
            agent = Forked(starter, scene.kubeconfig)
            time.sleep(chance.uniform(0, 1.5) * (starts[0] if starts else LONGEST))  # waits: likewise
            agent.kill()
            facts["kills"] += 1
            facts["kills while it started"] += 1

        agent = Forked(starter, scene.kubeconfig)
        starts.append(agent.wait_for_sync())
        scene.ready(*wanted)
        ends.append(scene.gone(*set(devices) - wanted) - agent.begun)
        facts["rounds"] += 1
        expected = {it: ["vfio-pci" if it in wanted else home[it], "(null)"] for it in devices}
        assert state(*devices) == expected, f"round {facts['rounds']}: {state(*devices)}, not {expected}"
    scene.give_back(*wanted)
    agent.kill()
    facts["after"] = state(*devices)
    facts["kills after so many steps"] = dict(sorted(at_steps.items()))
    facts["start to synced, without imports"] = seconds(starts)
    facts["start to the same end, without imports"] = seconds(ends)


def _come_and_go(scene: Scene, chance: random.Random, devices: tuple[str, ...], wanted: set[str]) -> None:
    """Some claims are made, some deleted, some both."""
    for address in chance.sample(devices, chance.randint(1, len(devices))):
        if address in wanted:
            scene.delete(address)
            wanted.remove(address)
            continue
        scene.claim(address)
        wanted.add(address)
        if chance.random() < 0.3:
            time.sleep(chance.uniform(0, 0.6))  # waits: any moment will do
            scene.delete(address)
            wanted.remove(address)
    assert all(name_of(address) in scene.api.claims for address in wanted)
