"""A cluster with our manifests, two nodes with agents, claims in every state, and people with different rights."""

from __future__ import annotations

import json

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import yaml

from tests.contract.apiserver.kubevirts import CRD as KUBEVIRT_DEFINITION
from tests.e2e.cluster import ROOT, Cluster, running_control_plane, wait_until

from .asking import Asking, Who
from .things import (
    ACCOUNT,
    ANCESTORS,
    CLAIMS,
    DEVICES,
    EVENTS,
    GONE,
    KUBEVIRTS,
    LEASES,
    NAMESPACE,
    NODE_GONE,
    NODES,
    a_claim,
    a_device,
    a_kubevirt,
    a_lease,
    an_event,
)


_RBAC = "/apis/rbac.authorization.k8s.io/v1"
_POLICIES = "/apis/admissionregistration.k8s.io/v1"

# Each has the roles named, and the rules.
PEOPLE: dict[str, tuple[tuple[str, ...], tuple[dict[str, Any], ...]]] = {
    "vera": (("pcidevices-viewer",), ()),
    "edna": (("edit",), ()),
    "alice": (
        ("pcidevices-claimer",),
        (
            {
                "apiGroups": ["devices.harvesterhci.io"],
                "resources": ["pcidevices"],
                "verbs": ["claim"],
                "resourceNames": ["janus-000004000", "janus-000005000", f"{GONE}-000004000", "janus-1000004000"],
            },
        ),
    ),
    "bob": (("pcidevices-claimer",), ()),
    "dora": (
        ("pcidevices-claimer",),
        (
            {"apiGroups": ["devices.harvesterhci.io"], "resources": ["pcidevices"], "verbs": ["claim"]},
            {"apiGroups": [""], "resources": ["users"], "verbs": ["impersonate"], "resourceNames": ["bob"]},
        ),
    ),
    "carol": (("pcidevices-admin",), ()),
    # An agent outside of a pod, with a user of its own; or one of the ancestor's.
    "oscar": (
        ("pcidevices-agent",),
        (
            {
                "apiGroups": ["devices.harvesterhci.io"],
                "resources": ["pcidevices", "pcideviceclaims"],
                "verbs": ["write-as-agent"],
            },
        ),
    ),
    # Every usual verb on everything of ours, the status too, and none of the three of our own.
    "mallory": (
        (),
        (
            {
                "apiGroups": ["devices.harvesterhci.io"],
                "resources": ["*"],
                "verbs": ["get", "list", "watch", "create", "update", "patch", "delete", "deletecollection"],
            },
        ),
    ),
}


@contextmanager
def policed(folder: Path, overlay: str) -> Iterator[tuple[Cluster, Asking]]:
    """A control plane with KubeVirt's definition and an overlay of ours, whose policies are in force."""
    with unpoliced(folder) as (cluster, asking):
        installed(cluster, asking, overlay)
        yield cluster, asking


@contextmanager
def unpoliced(folder: Path, *options: str) -> Iterator[tuple[Cluster, Asking]]:
    """A control plane with KubeVirt's definition, and nothing of ours."""
    with running_control_plane(folder, *options) as cluster, closing(Asking(cluster.kubeconfig)) as asking:
        asking.do("create", "/api/v1/namespaces", {"metadata": {"name": "kubevirt"}})
        cluster.kubectl("apply", "-f", "-", given=KUBEVIRT_DEFINITION)
        cluster.wait_until_defined()
        yield cluster, asking


def installed(cluster: Cluster, asking: Asking, overlay: str) -> None:
    """As the documentation says; and its policies are in force."""
    cluster.kubectl("apply", "--server-side", "-k", ROOT / "manifests/overlays" / overlay)
    cluster.wait_until_defined()
    policies_are_in_force(asking)


def policies_are_in_force(asking: Asking) -> None:
    """Policies are read together, in their order of time: when the last one holds they all do."""
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "resources": ["configmaps"], "operations": ["CREATE"]}
    spec = {
        "matchConstraints": {"resourceRules": [rule]},
        "validations": [{"expression": "object.metadata.name != 'canary'"}],
    }
    binding = {"policyName": "canary", "validationActions": ["Deny"]}
    path = f"{_POLICIES}/validatingadmissionpolicies"
    asking.do("create", path, {"metadata": {"name": "canary"}, "spec": spec})
    asking.do("create", path.replace("policies", "policybindings"), {"metadata": {"name": "canary"}, "spec": binding})
    canary = {"metadata": {"name": "canary"}}
    maps = "/api/v1/namespaces/default/configmaps?dryRun=All"
    wait_until(lambda: asking.ask("create", maps, canary).is_refusal, "policies are in force")
    asking.do("delete", f"{path.replace('policies', 'policybindings')}/canary")
    asking.do("delete", f"{path}/canary")
    wait_until(lambda: not asking.ask("create", maps, canary).is_refusal, "policies are followed")


def refusals(cluster: Cluster) -> list[str]:
    """What agents were refused, as the audit log has it."""
    lines = (cluster.folder / "audit.jsonl").read_text().splitlines()
    entries = [entry for entry in map(json.loads, lines) if entry.get("userAgent", "").startswith("pcidevices/")]
    assert all(entry["user"]["username"] == ACCOUNT for entry in entries)
    assert entries, "no agent has asked for anything"
    refused = [entry for entry in entries if entry.get("responseStatus", {}).get("code") in {401, 403, 422}]
    return [f"{entry['verb']} {entry['requestURI']}: {entry['responseStatus']}" for entry in refused]


def furnished(asking: Asking) -> dict[str, Who]:
    """Make the objects that the rows are about; who there is."""
    for node in NODES:
        asking.do("create", "/api/v1/nodes", {"metadata": {"name": node}})
        asking.do("create", DEVICES, a_device(f"{node}-000004000", node=node))
        asking.do("create", CLAIMS, a_claim(f"{node}-000004000", node=node, held=True))
        asking.do("create", CLAIMS, a_claim(f"{node}-going", node=node, address="0000:05:00.0", held=True))
        asking.do("delete", f"{CLAIMS}/{node}-going")
        asking.do("create", EVENTS, an_event(f"{node}.1", node=node))
    ancestors = a_claim("janus-ancestor", address="0000:07:00.0")
    ancestors["metadata"]["finalizers"] = [ANCESTORS]
    asking.do("create", CLAIMS, ancestors)
    asking.do("create", CLAIMS, a_claim(f"{GONE}-000004000", node=GONE, held=True))
    for name, node in ((f"{GONE}-marked", GONE), ("juno-marked", "juno")):
        marked = a_claim(name, node=node, address="0000:08:00.0", held=True)
        marked["metadata"]["labels"] = {NODE_GONE: "true"}
        asking.do("create", CLAIMS, marked)
    asking.do("create", CLAIMS, a_claim(f"{GONE}-going", node=GONE, address="0000:05:00.0", held=True))
    asking.do("delete", f"{CLAIMS}/{GONE}-going")
    asking.do("create", KUBEVIRTS, a_kubevirt())
    asking.do("create", LEASES, a_lease("juno_1"))
    people = {name: _person(asking, name) for name in PEOPLE}
    agents = {f"agent of {node}": Who(token=an_agents_token(asking, node)) for node in NODES}
    others = {
        "agent of nowhere": Who(token=_token(asking)),
        "garbage collector": Who(user="system:serviceaccount:kube-system:generic-garbage-collector"),
        "root": Who(user="root", groups=("system:masters",)),
    }
    return people | agents | others


def an_agents_token(asking: Asking, node: str) -> str:
    """As a pod of the DaemonSet on *node* has it."""
    container = {"name": "agent", "image": "none"}
    spec = {"nodeName": node, "serviceAccountName": "pcidevices", "containers": [container]}
    path, name = f"/api/v1/namespaces/{NAMESPACE}/pods", f"agent-{node}"
    asking.do("create", path, {"metadata": {"name": name}, "spec": spec})
    pod = asking.do("get", f"{path}/{name}")
    uid = pod["metadata"]["uid"]
    return _token(asking, {"boundObjectRef": {"apiVersion": "v1", "kind": "Pod", "name": name, "uid": uid}})


def a_kubeconfig(cluster: Cluster, token: str, path: Path) -> Path:
    """The cluster's, with another token."""
    config = json.loads(cluster.kubeconfig.read_text())
    config["users"][0]["user"] = {"token": token}
    path.write_text(yaml.safe_dump(config))
    return path


def _person(asking: Asking, name: str) -> Who:
    roles, rules = PEOPLE[name]
    if rules:
        asking.do("create", f"{_RBAC}/clusterroles", {"metadata": {"name": name}, "rules": list(rules)})
    for role in (*roles, *((name,) if rules else ())):
        reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role}
        subject = {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": name}
        body = {"metadata": {"name": f"{name}-{role}"}, "roleRef": reference, "subjects": [subject]}
        asking.do("create", f"{_RBAC}/clusterrolebindings", body)
    return Who(user=name)


def _token(asking: Asking, spec: dict[str, Any] | None = None) -> str:
    path = f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts/pcidevices/token"
    request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec or {}}
    token: str = asking.do("create", path, request)["status"]["token"]
    return token
