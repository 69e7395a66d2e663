"""
Runs in the guest, which is the node of `chain.py` after a reboot: nothing is lost, and nobody did anything.

    hack/vm --numa -- python3 tests/e2e/guest/rebooted.py CLUSTER KUBELET

KUBELET is what `chain.py` has kept. This time kubelet gives a container devices of one NUMA node alone. Writes
/mnt/report.json and /mnt/node-log. Standard library only.
"""

from __future__ import annotations

import os
import sys

from pathlib import Path


sys.path += [os.environ["RIG"], str(Path.cwd())]

from tests.e2e.guest import numa, standing
from tests.e2e.guest.agent import Object
from tests.e2e.guest.node import Chain, live, the_agent_ends
from tests.e2e.guest.scene import state


def main(cluster: Path, kept: Path) -> None:
    at_the_start = state(*standing.STANDING)

    def claims_stand(chain: Chain, facts: Object) -> None:
        facts["at the start"] = at_the_start
        standing.claims_stand(chain, facts)

    scenarios = {
        "claims": claims_stand,
        "pods": standing.pods_end,
        "aligned": numa.aligned,
        "leave": standing.all_goes_home,
        "end": the_agent_ends,
    }
    live(cluster, scenarios, "--after", str(kept), topologyManagerPolicy="single-numa-node")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
