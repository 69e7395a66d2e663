"""With controllers: the roles aggregate, the policies' types are right, and an uninstallation leaves nothing."""

from __future__ import annotations

import json
import shlex

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from tests.docs.pages import page
from tests.e2e.cluster import ROOT, a_spec, running_agent, wait_until
from tests.e2e.policies.things import CLAIMS, DEVICES, NAMESPACE, a_claim
from tests.e2e.policies.world import a_kubeconfig, an_agents_token, installed, refusals, unpoliced


if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.e2e.cluster import Cluster
    from tests.e2e.policies.asking import Asking

    Scene = tuple[Cluster, Asking]


KINDS = (
    "namespaces,crd,clusterroles,clusterrolebindings,roles,rolebindings,leases,daemonsets,priorityclasses,"
    "validatingadmissionpolicies,validatingadmissionpolicybindings"
)
CLAIM = f"{CLAIMS}/janus-000001000"


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with unpoliced(tmp_path_factory.mktemp("uninstall") / "up", "--controllers") as (cluster, asking):
        # Without the label of an operating system: no pod of a DaemonSet waits there for a kubelet.
        asking.do("create", "/api/v1/nodes", {"metadata": {"name": "janus"}})
        yield cluster, asking


@contextmanager
def an_agent(scene: Scene, folder: Path) -> Iterator[None]:
    """As a pod of the DaemonSet on janus would be, over a simulated node with three devices."""
    cluster, asking = scene
    kubeconfig = a_kubeconfig(cluster, an_agents_token(asking, "janus"), folder / "agent.kubeconfig")
    with running_agent(folder, "janus", kubeconfig=kubeconfig, spec=a_spec(3)):
        wait_until(lambda: len(cluster.devices("janus")) == 3, "the devices are published")
        yield
    # There is no kubelet that would say that the pod has ended.
    asking.do("delete", f"/api/v1/namespaces/{NAMESPACE}/pods/agent-janus?gracePeriodSeconds=0")


def objects(cluster: Cluster) -> set[tuple[str, str, str]]:
    """All that an installation could leave, by kind, namespace and name, but for what Kubernetes keeps for itself."""
    items = json.loads(cluster.kubectl("get", KINDS, "--all-namespaces", "-o", "json"))["items"]
    named = {(one["kind"], one["metadata"].get("namespace", ""), one["metadata"]["name"]) for one in items}
    return {one for one in named if not one[1].startswith("kube-")}


def documented() -> Iterator[list[str]]:
    """The commands of the page, in its order."""
    for line in page("docs/how-to/uninstall.md").blocks[0].text.splitlines():
        program, *words = shlex.split(line.removeprefix("$ "))
        assert program == "kubectl"
        yield [str(ROOT / word) if word.startswith("manifests/") else word for word in words]


def status_of(asking: Asking, path: str) -> dict[str, Any]:
    status = asking.ask("get", path).body.get("status")
    return status if isinstance(status, dict) else {}


def is_ready(asking: Asking) -> bool:
    conditions = status_of(asking, CLAIM).get("conditions", ())
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)


def test_the_documented_way_out_leaves_nothing(scene: Scene, tmp_path: Path) -> None:
    """The device is given back before its agent goes, and then goes all the rest."""
    cluster, asking = scene
    before = objects(cluster)
    installed(cluster, asking, "kubevirt")
    first, *rest = documented()

    with an_agent(scene, tmp_path):
        the_types_of_policies_are_right(asking)
        the_roles_are_part_of_the_usual_ones(asking)
        asking.do("create", CLAIMS, a_claim("janus-000001000", address="0000:01:00.0"))
        wait_until(lambda: is_ready(asking), "the claim is Ready")
        cluster.kubectl(*first)
        device = f"{DEVICES}/janus-000001000"
        wait_until(lambda: status_of(asking, device).get("kernelDriverInUse") == "ixgbe", "it is given back")
        assert refusals(cluster) == []
    for command in rest:
        cluster.kubectl(*command)

    wait_until(lambda: objects(cluster) == before, "all is gone", within=60)
    assert "finalizers" not in asking.do("get", "/api/v1/nodes/janus")["metadata"]


def the_types_of_policies_are_right(asking: Asking) -> None:
    """A controller checks each expression against the schemas."""
    path = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies"
    names = [one["metadata"]["name"] for one in asking.do("get", path)["items"]]

    def checked() -> dict[str, Any]:
        return {name: status_of(asking, f"{path}/{name}").get("typeChecking") for name in names}

    wait_until(lambda: None not in checked().values(), "policies are checked")
    assert {name: found for name, found in checked().items() if found} == {}


def the_roles_are_part_of_the_usual_ones(asking: Asking) -> None:
    """Who is a cluster's admin, bound in the whole cluster, may claim; who views sees."""

    def verbs(role: str) -> set[str]:
        rules = asking.do("get", f"/apis/rbac.authorization.k8s.io/v1/clusterroles/{role}").get("rules") or []
        ours = [rule for rule in rules if "devices.harvesterhci.io" in rule.get("apiGroups", ())]
        return {verb for rule in ours for verb in rule["verbs"]}

    wait_until(lambda: {"claim", "claim-protected", "release"} <= verbs("admin"), "admin has what pcidevices-admin has")
    assert verbs("view") == verbs("edit") == {"get", "list", "watch"}
