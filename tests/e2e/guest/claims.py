"""
Runs in the guest: claims over a real kernel's devices, and what happens to them. Standard library only.

    hack/vm -- python3 tests/e2e/guest/claims.py KUBECONFIG [SCENARIO…]

Writes /mnt/report.json: for each scenario what was seen. A scenario that fails says so there, and the next one goes on.
"""

from __future__ import annotations

import json
import os
import sys

from pathlib import Path


sys.path += [os.environ["RIG"], str(Path.cwd())]

from tests.e2e.guest import ancestor, claiming, crashes, identity, inuse, protected
from tests.e2e.guest.agent import OUT
from tests.e2e.guest.scene import Scene


SCENARIOS = {
    "every kind": claiming.every_kind_of_device,
    "group": claiming.a_group,
    "twins": claiming.twins,
    "times": claiming.times,
    "cost": claiming.cost,
    "machine": inuse.a_virtual_machine,
    "host": protected.what_the_host_needs,
    "disks": protected.disks,
    "hang": inuse.an_unbind_that_hangs,
    "inherited": ancestor.what_the_ancestor_left,
    "card": identity.a_card_that_is_pulled,
    "kills": crashes.killed_at_any_moment,
}


def main(kubeconfig: Path, *names: str) -> None:
    scene = Scene(kubeconfig)
    scene.report["kernel"] = os.uname().release
    scene.wait_for_sync()
    for name in names or SCENARIOS:
        with scene.scenario(name) as facts:
            SCENARIOS[name](scene, facts)
        (OUT / "report.json").write_text(json.dumps(scene.report, indent=1))
    scene.report["crashes"] = scene.agent.events("reconcile.crashed")
    scene.agent.stop()
    scene.report["exit status"] = scene.agent.process.returncode
    (OUT / "report.json").write_text(json.dumps(scene.report, indent=1))


main(Path(sys.argv[1]), *sys.argv[2:])
