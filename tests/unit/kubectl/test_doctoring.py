"""`kubectl pci doctor`, where no agent answers: what it makes of what else the cluster has."""

from __future__ import annotations

import argparse

from typing import Any

import pytest

from pcidevices.domain.diagnosis import Mark
from pcidevices.errors import ConfigError
from pcidevices.kubectl import doctor
from pcidevices.kubectl.doctor.others import node_of, nodes, wishes
from tests.support.clusterobjects import GPU, NIC, READY, TWIN, a_claim, a_device, a_gpu, condition
from tests.support.smallcluster import Object, SmallCluster


RESOURCE = "nvidia.com/GP106"
WELL = (READY, *(condition(kind, kind, "so it is", status="True") for kind in ("Allowed", "Bound", "GroupViable")))
NODES, PODS = "/api/v1/nodes", "/api/v1/pods"
MACHINES = "/apis/kubevirt.io/v1/virtualmachines"


def diagnosed(cluster: SmallCluster, *words: str) -> tuple[int, list[tuple[str, str, str]]]:
    """The exit status, and of each thing its cause or what is doubtful."""
    found = doctor.diagnosed(words, cluster, 0)
    flags = argparse.Namespace(what=list(words), timeout=0.0, fresh="false", output="json")
    told = [(title, link.what, str(link.reason)) for title, each in found for link in [each.worst] if link is not None]
    return doctor.run(flags, cluster), told


def a_pod(name: str, **spec: Any) -> Object:
    container = {"resources": {"limits": {RESOURCE: "1"}}}
    return {"metadata": {"name": name, "namespace": "default"}, "spec": {"containers": [container], **spec}}


def a_machine(name: str, status: Object, **spec: Any) -> Object:
    domain = {"devices": {"gpus": [{"name": "g", "deviceName": RESOURCE}]}}
    template = {"spec": {"domain": domain}}
    return {
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"template": template, **spec},
        "status": status,
    }


def a_node(name: str, **labels: str) -> Object:
    return {"metadata": {"name": name, "labels": labels}, "status": {"allocatable": {RESOURCE: "2k", "cpu": "4"}}}


def test_a_pod_waits_until_a_node_is_found_for_it() -> None:
    """One that pulls its image has its device."""
    cluster = SmallCluster()
    cluster.put(PODS, a_pod("pulls", nodeName="janus"), a_pod("waits"))

    assert [wish.who for wish in wishes(cluster)] == ["pod default/waits"]
    assert any("spec.nodeName%3D" in each for each in cluster.asked)


@pytest.mark.parametrize(
    ("spec", "status", "waits"),
    [
        ({"runStrategy": "Always"}, {"printableStatus": "Stopped"}, True),
        ({"running": True}, {}, True),
        ({"runStrategy": "Halted"}, {"printableStatus": "Stopped"}, False),
        ({"running": False}, {}, False),
        ({"runStrategy": "Manual"}, {"printableStatus": "Stopped"}, False),
        ({"runStrategy": "Manual"}, {"printableStatus": "Provisioning"}, True),
        ({"runStrategy": "Always"}, {"printableStatus": "Starting", "created": True}, False),
        ({"runStrategy": "Always"}, {"ready": True}, False),
    ],
)
def test_a_machine_waits_while_it_shall_run_and_has_no_instance(spec: Object, status: Object, waits: bool) -> None:  # noqa: FBT001
    """Its instance has a pod, which waits in its place."""
    cluster = SmallCluster()
    cluster.put(MACHINES, a_machine("router", status, **spec))

    assert [wish.who for wish in wishes(cluster)] == (["virtual machine default/router"] if waits else [])


def test_two_thousand_devices_are_counted_although_they_are_written_2k() -> None:
    cluster = SmallCluster()
    cluster.put(NODES, a_node("janus"))
    seen = node_of("janus", cluster)

    assert seen is not None
    assert seen.allocatable == {RESOURCE: 2000}


def test_a_cluster_where_no_agent_ever_came_up_is_told_node_by_node(capsys: pytest.CaptureFixture[str]) -> None:
    cluster = SmallCluster()
    cluster.put(NODES, a_node("janus"), a_node("venus"), a_node("panes", **{"kubernetes.io/os": "windows"}))

    assert diagnosed(cluster) == (1, [(f"node {name}", "agent", "NotPublished") for name in ("janus", "venus")])
    capsys.readouterr()


@pytest.mark.parametrize("refusal", ["", 'Error from server (Forbidden): User "bob" cannot list resource "nodes"'])
def test_a_cluster_of_which_nothing_is_seen_is_told_too(refusal: str) -> None:
    cluster = SmallCluster(refusals={NODES: refusal} if refusal else {})

    assert diagnosed(cluster) == (1, [("the cluster", "agent", "NotPublished")])


def test_a_node_without_an_agent_beside_one_that_has_one_may_be_meant_so() -> None:
    cluster = SmallCluster()
    cluster.has(a_device(NIC))
    cluster.put(NODES, a_node("janus"), a_node("control-plane"))
    status, told = diagnosed(cluster)

    assert (status, told[0]) == (0, ("node control-plane", "agent", "NotPublished"))


def test_a_claim_for_a_node_without_an_agent_is_the_cause() -> None:
    cluster = SmallCluster()
    cluster.has(a_device(NIC), a_claim(GPU, "venus"))

    assert ("node venus", "agent", "NotPublished") in diagnosed(cluster)[1]


def test_nodes_are_not_asked_for_one_by_one() -> None:
    cluster = SmallCluster()
    cluster.put(NODES, *(a_node(f"n{number}") for number in range(9)))
    assert len(nodes(cluster)) == 9
    cluster.asked.clear()
    diagnosed(cluster)

    assert sum(NODES in each for each in cluster.asked) == 2  # once for each of two runs


@pytest.mark.parametrize(
    ("refusal", "reason"),
    [
        ('Error from server (Forbidden): User "bob" cannot patch resource "pcidevices"', "Forbidden"),
        ('The pcidevices "x" is invalid: : ValidatingAdmissionPolicy says no', "Forbidden"),
        ("Error from server (Timeout): the server was unable to return a response in time", "Unavailable"),
        ("Unable to connect to the server: net/http: TLS handshake timeout", "Unavailable"),
    ],
)
def test_only_what_the_server_refuses_is_forbidden(refusal: str, reason: str) -> None:
    cluster = SmallCluster(refusals={f"/pcidevices.devices.harvesterhci.io/{a_gpu().name}": refusal})
    cluster.has(a_gpu())
    ((_, found),) = doctor.diagnosed([a_gpu().name], cluster, 1.0)

    assert found.links[0].reason == reason


def test_who_wants_no_fresh_look_needs_no_role_for_it() -> None:
    cluster = SmallCluster()
    cluster.has(a_gpu())
    ((_, found),) = doctor.diagnosed([a_gpu().name], cluster, 0)

    assert found.links[0].next == "ask again without --fresh=false"


def test_an_object_that_is_older_than_the_schema_is_shown_all_the_same() -> None:
    cluster = SmallCluster()
    cluster.has(a_gpu())
    (whole,) = cluster.objects.values()
    whole["status"]["numaNode"] = "zero"

    ((title, _),) = doctor.diagnosed([a_gpu().name], cluster, 0)
    assert title == a_gpu().name


def two_cards(*holders: str, allocatable: str) -> SmallCluster:
    """Both are claimed and Ready, under one name."""
    cluster = SmallCluster()
    cluster.put(NODES, {"metadata": {"name": "janus"}, "status": {"allocatable": {RESOURCE: allocatable}}})
    for address, holder in zip((NIC, TWIN), holders, strict=True):
        cluster.has(
            a_device(address, resource_name=RESOURCE, in_use_by=(holder,) if holder else ()),
            a_claim(address, "janus", *WELL),
        )
    return cluster


def test_who_waits_does_so_in_vain_when_the_last_of_several_is_taken() -> None:
    for holders, reason in ((("default/a", "default/b"), "DeviceInUse"), (("default/a", ""), "")):
        cluster = two_cards(*holders, allocatable="2")
        cluster.put(PODS, a_pod("waits"))
        ((_, found),) = doctor.diagnosed([a_device(NIC).name], cluster, 0)

        assert (found.cause.reason if found.cause else "") == reason


@pytest.mark.parametrize("words", [["janus"], []])
def test_a_node_without_what_is_ready_is_no_green_one(words: list[str]) -> None:
    for allocatable, reasons in (("2", []), ("0", ["NotCounted"])):
        cluster = two_cards("", "", allocatable=allocatable)
        ((_, found),) = doctor.diagnosed(words, cluster, 0)

        assert [link.reason for link in found.links if link.mark is Mark.CAUSE] == reasons


def test_a_claim_for_an_address_that_is_none_is_no_riddle() -> None:
    cluster = SmallCluster()
    cluster.has(a_claim(NIC, name="old"), a_device(NIC))
    next(each for each in cluster.objects.values() if each["metadata"]["name"] == "old")["spec"]["address"] = "5e:00"

    with pytest.raises(ConfigError, match=r"claim old .*'5e:00'.*kubectl unclaim old"):
        doctor.diagnosed(["old"], cluster, 0)
    assert diagnosed(cluster)[0] == 0
