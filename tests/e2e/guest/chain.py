"""
Runs in the guest, which becomes a node: the whole way of a device, from a claim to a virtual machine and back.

    hack/vm --numa --env=QEMU=FOLDER -- python3 tests/e2e/guest/chain.py CLUSTER [SCENARIO…]

CLUSTER is the folder of `hack/cluster up --node-name guest` on the host. Writes /mnt/report.json: for each scenario
what was seen; /mnt/node-log: what kubelet said; and /mnt/kubelet: what it would find after a reboot, for
`rebooted.py`. Standard library only.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

from collections.abc import Callable
from datetime import datetime
from pathlib import Path


sys.path += [os.environ["RIG"], str(Path.cwd())]

import rig

from tests.e2e.guest import numa, standing
from tests.e2e.guest.agent import OUT, PATIENCE, Object
from tests.e2e.guest.identity import OTHER
from tests.e2e.guest.inuse import FIRMWARE, IDS, lists, virtual_machine
from tests.e2e.guest.node import CLUSTER, FOLDER, PLUGINS, Chain, after, cluster, kubelet_log, live
from tests.e2e.guest.scene import GPU, PLUGGED, SOUND, TWIN, state


DEVICES = (TWIN, GPU, SOUND)


def from_a_claim_to_a_pod(chain: Chain, facts: Object) -> None:
    """Claims, allocatable, a pod: what it was given."""
    scene = chain.scene
    facts["home"] = state(*DEVICES)
    facts["groups"] = {it: rig.group(it) for it in DEVICES}
    there = scene.claim(*DEVICES)
    ready = scene.ready(*DEVICES)
    facts["seconds: claims to Ready"] = after(there, ready)
    facts["seconds: Ready to allocatable"] = after(ready, chain.allocatable(*DEVICES))
    facts["resources"] = {it: chain.resource(it) for it in DEVICES}
    begun = chain.create("vm", *DEVICES)
    facts["seconds: pod to Running"] = after(begun, chain.running("vm"))
    facts["given"] = chain.given_to("vm")
    facts["seconds: pod to inUseBy"] = after(begun, chain.used_by(*DEVICES, pods=["default/vm"]))


def a_pod_that_asks_for_more(chain: Chain, facts: Object) -> None:
    """It is refused, and told why."""
    begun = chain.create("greedy", TWIN, count=2)
    facts |= chain.refused("greedy")
    facts["seconds"] = after(begun)
    chain.end("greedy")


def _undisturbed(chain: Chain, facts: Object, disturb: Callable[[], object]) -> None:
    """Disturb; note when kubelet counts the devices again, and that nothing was done to them."""
    since, said = chain.scene.agent.position(), kubelet_log()
    begun, moment = time.monotonic(), time.time()
    disturb()
    facts["seconds: the disturbance itself"] = after(begun)
    facts["seconds: to counted again"] = after(begun, chain.counted(*DEVICES, since=said))
    facts["seconds: to allocatable again"] = after(begun, chain.allocatable(*DEVICES))
    registered = [it["timestamp"] for it in chain.scene.agent.events("plugin.registered", since=since)]
    facts["seconds: to registered again"] = [
        round(datetime.fromisoformat(it).timestamp() - moment, 2) for it in sorted(registered)
    ]
    facts["seconds: to kubelet's socket"] = round((PLUGINS / "kubelet.sock").stat().st_ctime - moment, 2)
    chain.scene.ready(*DEVICES)  # where many work, a device that does not answer in time is not, for a moment
    facts["steps"] = chain.steps(*DEVICES, since=since)
    facts["drivers"] = state(*DEVICES)
    facts["plugins"] = [it["why"] for it in chain.scene.agent.events("plugin.ended", since=since)]


def kubelet_restarts(chain: Chain, facts: Object) -> None:
    _undisturbed(chain, facts, lambda: cluster("restart", "kubelet"))


def the_agent_is_killed(chain: Chain, facts: Object) -> None:
    def kill() -> None:
        chain.scene.agent.process.kill()
        chain.scene.agent.process.wait()
        chain.scene.restart()

    _undisturbed(chain, facts, kill)


def the_sockets_are_deleted(chain: Chain, facts: Object) -> None:
    def delete() -> None:
        for path in PLUGINS.glob("kubevirt-*.sock"):
            path.unlink()

    _undisturbed(chain, facts, delete)


def with_a_virtual_machine(chain: Chain, facts: Object) -> None:
    """A real one has what the pod was given; claims that are deleted wait for both."""
    scene, log = chain.scene, OUT / "firmware.log"
    begun = time.monotonic()
    with virtual_machine(log, *chain.addresses_of("vm")) as machine:
        rig.wait_until(lambda: machine.poll() is not None or lists(log, IDS.values()), timeout=FIRMWARE)
        facts["seconds: machine to firmware"] = after(begun)
        facts["ids"] = {it: ids for it, ids in IDS.items() if lists(log, [ids])}
        facts["enable"] = {it: rig.read(rig.device(it) / "enable") for it in DEVICES}
        for name, disturbance in DISTURBANCES.items():
            with scene.scenario(name) as noted:
                disturbance(chain, noted)
        since = scene.agent.position()
        begun = scene.delete(*DEVICES)
        facts["seconds: deletion to DeviceInUse"] = after(begun, scene.told("DeviceInUse", *DEVICES))
        facts["seconds: deletion to not allocatable"] = after(begun, chain.allocatable(*DEVICES, count=0))
        rig.wait_until(lambda: all("default/vm" in scene.message(it) for it in DEVICES), timeout=PATIENCE)
        facts["messages"] = {it: scene.message(it) for it in DEVICES}
        facts["machine"] = machine.pid
        facts["still runs"] = machine.poll() is None
    rig.wait_until(lambda: not any("process" in scene.message(it) for it in DEVICES), timeout=PATIENCE)
    chain.looked_again(*DEVICES, times=2)
    facts["messages without the machine"] = {it: scene.message(it) for it in DEVICES}
    facts["enable without the machine"] = {it: rig.read(rig.device(it) / "enable") for it in DEVICES}
    facts["steps"] = chain.steps(*DEVICES, since=since)


def kubelet_forgets(chain: Chain, facts: Object) -> None:
    """A kubelet that cannot reach the API server names no pod: claims that are being deleted wait all the same."""
    scene = chain.scene
    since = scene.agent.position()
    relay = json.loads((FOLDER / "cluster.json").read_text())["processes"]["relay"]["pid"]
    os.kill(relay, signal.SIGSTOP)
    with subprocess.Popen([*CLUSTER, "restart", "--dir", str(FOLDER), "kubelet"]) as restart:  # ends when it is Ready
        try:
            for _ in range(3):
                rig.wait_until(lambda: all("does not name" in scene.message(it) for it in DEVICES), timeout=PATIENCE)
                facts["messages"] = {it: scene.message(it) for it in DEVICES}
                chain.looked_again(*DEVICES, times=1)
        finally:
            os.kill(relay, signal.SIGCONT)
        begun = time.monotonic()
        rig.wait_until(lambda: all("default/vm" in scene.message(it) for it in DEVICES), timeout=PATIENCE)
        facts["seconds: the API server's return to the pod's name"] = after(begun)
        facts["restart"] = restart.wait()
    facts["steps"] = chain.steps(*DEVICES, since=since)
    facts["drivers"] = state(*DEVICES)


def home(chain: Chain, facts: Object) -> None:
    """The last pod of the node ends: all goes home."""
    begun = time.monotonic()
    ended = chain.end("vm")
    facts["seconds: deletion to the pod's end"] = after(begun, ended)
    facts["still written down"] = chain.written_down()
    facts["seconds: the pod's end to claims gone"] = after(ended, chain.scene.gone(*DEVICES))
    chain.allocatable(*DEVICES, count=0)
    facts["after"] = state(*DEVICES)
    facts["seconds: the pod's end to nobody uses it"] = after(ended, chain.used_by(*DEVICES, pods=[]))


def a_card_is_pulled(chain: Chain, facts: Object) -> None:
    """While a virtual machine has it: that waits for its end, and concerns nobody else."""
    scene, log = chain.scene, OUT / "pulled.log"
    with rig.Qmp() as qmp:
        qmp("device_add", **OTHER)
        rig.wait_until(lambda: rig.driver(PLUGGED) == "igb")
        scene.claim(PLUGGED)
        scene.ready(PLUGGED)
        chain.allocatable(PLUGGED)
        chain.create("unlucky", PLUGGED)
        chain.running("unlucky")
        with virtual_machine(log, PLUGGED) as machine:
            rig.wait_until(lambda: machine.poll() is not None or lists(log, ["8086:10c9"]), timeout=FIRMWARE)
            pulled = time.monotonic()
            qmp("device_del", id=OTHER["id"])
            facts["seconds: pulled to not allocatable"] = after(pulled, chain.allocatable(PLUGGED, count=0))
            facts["seconds: pulled to told"] = after(pulled, scene.told("DeviceInUse", PLUGGED))
            facts["message"] = scene.message(PLUGGED)
            facts["still there"] = rig.device(PLUGGED).exists()
            there = scene.claim(TWIN)
            facts["another one's seconds to Ready"] = after(there, scene.ready(TWIN))
            facts["another one's seconds to allocatable"] = after(there, chain.allocatable(TWIN))
            facts["another one's seconds back"] = round(scene.give_back(TWIN), 2)
            facts["still runs"] = machine.poll() is None
        ended = time.monotonic()
        qmp.wait_for("DEVICE_DELETED", device=OTHER["id"])
        rig.wait_until(lambda: not rig.device(PLUGGED).exists())
        facts["seconds: the machine's end to gone"] = after(ended)
        facts["seconds: the machine's end to DeviceNotFound"] = after(ended, scene.told("DeviceNotFound", PLUGGED))
        facts["message when it is gone"] = scene.message(PLUGGED)
    chain.end("unlucky")
    facts["seconds: give back"] = round(scene.give_back(PLUGGED), 2)


DISTURBANCES = {
    "greedy": a_pod_that_asks_for_more,
    "kubelet": kubelet_restarts,
    "agent": the_agent_is_killed,
    "sockets": the_sockets_are_deleted,
}
SCENARIOS = {
    "pod": from_a_claim_to_a_pod,
    "machine": with_a_virtual_machine,
    "forgets": kubelet_forgets,
    "home": home,
    "pulled": a_card_is_pulled,
    "preferred": numa.preferred,
    "standing": standing.before_a_boot,
}

if __name__ == "__main__":
    live(Path(sys.argv[1]), {name: SCENARIOS[name] for name in sys.argv[2:] or SCENARIOS})
