"""What goes with what: owners and dependents, namespaces and definitions with their contents."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pcidevices.sim.apiserver import ApiError, ApiServer


if TYPE_CHECKING:
    from aiohttp import ClientSession


def thing(name: str, *owners: dict[str, Any], **metadata: Any) -> dict[str, Any]:
    references = [
        {"apiVersion": o["apiVersion"], "kind": o["kind"], "name": o["metadata"]["name"], "uid": o["metadata"]["uid"]}
        for o in owners
    ]
    owned = {"ownerReferences": references} if references else {}
    return {"apiVersion": "example.com/v1", "kind": "Thing", "metadata": {"name": name, **owned, **metadata}}


def configmap(name: str, namespace: str, **metadata: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": namespace, **metadata}}


def names(server: ApiServer, kind: str = "things.example.com") -> list[str]:
    return [obj["metadata"]["name"] for obj in server.list(kind)]


def test_dependents_go_with_their_owner(server: ApiServer) -> None:
    owner = server.apply(thing("owner"))
    middle = server.apply(thing("middle", owner))
    server.apply(thing("leaf", middle))
    server.apply(thing("other"))

    server.delete("things.example.com", "owner")

    assert names(server) == ["other"]


def test_a_dependent_with_another_owner_stays(server: ApiServer) -> None:
    one, two = server.apply(thing("one")), server.apply(thing("two"))
    server.apply(thing("both", one, two))

    server.delete("things.example.com", "one")
    assert names(server) == ["both", "two"]

    server.delete("things.example.com", "two")
    assert names(server) == []


def test_a_dependent_with_a_finalizer_is_asked_to_go(server: ApiServer) -> None:
    owner = server.apply(thing("owner"))
    server.apply(thing("leaf", owner, finalizers=["example.com/hold"]))

    server.delete("things.example.com", "owner")

    assert names(server) == ["leaf"]
    assert server.get("things.example.com", "leaf")["metadata"]["deletionTimestamp"]


async def test_orphans_stay(server: ApiServer, client: ClientSession) -> None:
    owner = server.apply(thing("owner"))
    server.apply(thing("leaf", owner))

    async with client.delete("/apis/example.com/v1/things/owner", json={"propagationPolicy": "Orphan"}) as answer:
        assert answer.status == 200

    assert "ownerReferences" not in server.get("things.example.com", "leaf")["metadata"]


def test_a_namespace_takes_its_contents_along(server: ApiServer) -> None:
    server.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "ns"}})
    server.apply(configmap("a", "ns"))
    server.apply(configmap("b", "default"))

    server.delete("namespaces", "ns")

    assert names(server, "namespaces") == ["default", "kube-system"]
    assert names(server, "configmaps") == ["b"]


def test_a_namespace_waits_for_what_finalizers_hold(server: ApiServer) -> None:
    server.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "ns"}})
    server.apply(configmap("a", "ns", finalizers=["example.com/hold"]))

    server.delete("namespaces", "ns")
    assert server.get("namespaces", "ns")["status"]["phase"] == "Terminating"
    with pytest.raises(ApiError, match="is being terminated"):
        server.apply(configmap("new", "ns"))

    server.patch("configmaps", "a", {"metadata": {"finalizers": None}}, namespace="ns")
    assert names(server, "namespaces") == ["default", "kube-system"]


def test_a_definition_waits_for_what_finalizers_hold(server: ApiServer) -> None:
    server.apply(thing("a", finalizers=["example.com/hold"]))

    server.delete("customresourcedefinitions.apiextensions.k8s.io", "things.example.com")
    assert names(server) == ["a"]

    server.patch("things.example.com", "a", {"metadata": {"finalizers": None}})
    with pytest.raises(LookupError, match="no kind"):
        server.list("things.example.com")
