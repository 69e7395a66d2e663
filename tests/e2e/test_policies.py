"""Roles and admission policies on a real API server: a table of requests, and an agent at work under them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pcidevices.adapters.kube.clusterclaims import KubeClusterClaims
from pcidevices.adapters.kube.credentials import Credentials
from pcidevices.adapters.kube.kubevirt import KubeKubeVirts
from pcidevices.adapters.kube.leases import KubeLeases
from pcidevices.controllers.election import Election
from pcidevices.controllers.gonenodes import GoneNodes
from pcidevices.domain.permitted import Permission, Write, decide
from tests.e2e.cluster import a_spec, running_agent, wait_until
from tests.e2e.policies import agents, people
from tests.e2e.policies.things import CLAIMS, DEVICES, GONE, NAMESPACE, a_claim
from tests.e2e.policies.world import a_kubeconfig, an_agents_token, furnished, installed, policed, refusals
from tests.support.kube import a_client


if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.e2e.cluster import Cluster
    from tests.e2e.policies.asking import Answer, Asking, Who
    from tests.e2e.policies.rows import Row

    Scene = tuple[Cluster, Asking, dict[str, Who]]


LOOK = "devices.harvesterhci.io/look"
FREE = {"spec": {"holderIdentity": ""}}


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with policed(tmp_path_factory.mktemp("policies") / "up", "kubevirt") as (cluster, asking):
        yield cluster, asking, furnished(asking)


def asked(scene: Scene, row: Row) -> Answer:
    """The answer; nothing is changed, so that no row depends on another."""
    _, asking, everybody = scene
    dry = "" if row.verb == "get" or "dryRun" in row.path else f"{'&' if '?' in row.path else '?'}dryRun=All"
    return asking.ask(row.verb, f"{row.path}{dry}", row.body, who=everybody[row.who])


@pytest.mark.parametrize("row", [*agents.ALLOWED, *people.ALLOWED], ids=str)
def test_what_is_one_s_own_is_allowed(scene: Scene, row: Row) -> None:
    """Nobody is kept from their work."""
    answer = asked(scene, row)

    assert answer.status == 409 if row.exists else answer.status < 300, str(answer)


@pytest.mark.parametrize("row", [*agents.REFUSED, *people.REFUSED], ids=str)
def test_what_is_another_s_is_refused_and_why_is_said(scene: Scene, row: Row) -> None:
    """The refusal is the one meant, not one that happens to come first."""
    answer = asked(scene, row)

    assert answer.is_refusal, str(answer)
    assert row.why
    assert row.why in str(answer)


def test_an_agent_at_work_is_refused_nothing(scene: Scene, tmp_path: Path) -> None:
    """From its start to its end, with a claim in between."""
    cluster, asking, everybody = scene
    asking.do("create", "/api/v1/nodes", {"metadata": {"name": "jove"}})
    kubeconfig = a_kubeconfig(cluster, an_agents_token(asking, "jove"), tmp_path / "jove.kubeconfig")
    claim, device = f"{CLAIMS}/jove-000001000", f"{DEVICES}/jove-000001000"

    def state() -> str:
        answer = asking.ask("get", claim)
        if answer.status != 200:
            return str(answer.status)
        conditions = answer.body.get("status", {}).get("conditions", ())
        return next((one["status"] for one in conditions if one["type"] == "Ready"), "")

    with running_agent(tmp_path, "jove", kubeconfig=kubeconfig, spec=a_spec(3)) as agent:
        wait_until(lambda: asking.ask("get", device).status == 200, "the devices are published")
        asked = a_claim("jove-000001000", node="jove", address="0000:01:00.0", userName="carol")
        made = asking.ask("create", CLAIMS, asked, who=everybody["carol"])
        assert made.status == 201, str(made)
        wait_until(lambda: state() == "True", "the claim is Ready")
        looks = asking.ask("patch", device, {"metadata": {"annotations": {LOOK: "now"}}}, who=everybody["alice"])
        assert looks.status == 200, str(looks)
        asking.ask("delete", claim, who=everybody["carol"])
        wait_until(lambda: state() == "404", "the device is given back")
        agent.spec.write_text(a_spec(2))
        wait_until(lambda: asking.ask("get", f"{DEVICES}/jove-000001020").status == 404, "a device is gone")
    wait_until(lambda: any("jove" in line for line in _told(asking)), "an Event was told")

    assert refusals(cluster) == []


def _told(asking: Asking) -> list[str]:
    items = asking.do("get", "/apis/events.k8s.io/v1/namespaces/default/events")["items"]
    return [item["reportingInstance"] for item in items]


@pytest.mark.anyio
async def test_an_agent_ends_the_claims_of_gone_nodes_and_tells_kubevirt(scene: Scene, tmp_path: Path) -> None:
    """What a real node's agent does besides: with its own code, and a token of its node."""
    cluster, asking, everybody = scene
    token = everybody["agent of janus"].token
    kubeconfig = a_kubeconfig(cluster, token, tmp_path / "janus.kubeconfig")
    permission = Permission("1d0f:efa0", "amazon.com/EFA")

    async with a_client(Credentials(str(kubeconfig))) as client:
        election = Election(KubeLeases(client, NAMESPACE), "janus")
        gone_nodes = GoneNodes("janus", claims=KubeClusterClaims(client), election=election, grace=0.0)
        asking.do("patch", f"/apis/coordination.k8s.io/v1/namespaces/{NAMESPACE}/leases/pcidevices-gone-nodes", FREE)
        for _ in range(3):  # to find them, to delete them, to let them go
            await gone_nodes.look()
        kubevirts = KubeKubeVirts(client, ("kubevirt", "kubevirt"))
        (kubevirt,) = await kubevirts.find()
        added = decide(kubevirt.listed, kubevirt.ours, [permission], ())
        assert isinstance(added, Write)
        kubevirt = await kubevirts.write(kubevirt, added)
        needed = await kubevirts.still_needed([permission])
        removed = decide(kubevirt.listed, kubevirt.ours, (), needed)
        assert isinstance(removed, Write)
        await kubevirts.write(kubevirt, removed)

    left = [item["metadata"]["name"] for item in asking.do("get", CLAIMS)["items"]]
    assert not [name for name in left if name.startswith(GONE)]
    assert "juno-going" in left
    assert refusals(cluster) == []


def test_the_inventory_alone_is_refused_nothing_and_nobody_claims(scene: Scene, tmp_path: Path) -> None:
    """With the overlay read-only the agents have fewer rights, which do."""
    cluster, asking, everybody = scene
    cluster.kubectl("delete", "role,rolebinding", "pcidevices-agent", "-n", NAMESPACE)
    cluster.kubectl("delete", "role,rolebinding", "pcidevices-agent", "-n", "default")
    installed(cluster, asking, "read-only")
    asking.do("create", "/api/v1/nodes", {"metadata": {"name": "vesta"}})
    kubeconfig = a_kubeconfig(cluster, an_agents_token(asking, "vesta"), tmp_path / "vesta.kubeconfig")

    with running_agent(tmp_path, "vesta", kubeconfig=kubeconfig, spec=a_spec(3)):
        wait_until(lambda: len(cluster.devices("vesta")) == 3, "the devices are published")
        claimed = asking.ask("create", CLAIMS, a_claim("vesta", node="vesta", address="0000:01:00.0"))
        held = asking.ask("patch", f"{CLAIMS}/juno-going", {"metadata": {}}, who=everybody["agent of juno"])

    assert "this cluster shows its devices" in str(claimed)
    assert held.status == 403
    assert refusals(cluster) == []
