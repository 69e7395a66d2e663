"""The server as its users in this repository see it."""

from __future__ import annotations

import time

import pytest

from aiohttp import ClientSession

from pcidevices.sim.apiserver import Answered, ApiError, ApiServer
from tests.unit.sim.apiserver.things import THINGS, event, thing


MERGE = {"Content-Type": "application/merge-patch+json"}


async def test_a_kubeconfig_leads_to_the_server(server: ApiServer, url: str) -> None:
    """Without credentials: over plain http kubectl would not send any."""
    kubeconfig = server.kubeconfig()

    assert kubeconfig["clusters"][0]["cluster"] == {"server": url}
    assert kubeconfig["users"][0]["user"] == {}
    assert url.startswith("http://127.0.0.1:")


async def test_requests_are_counted_by_what_they_asked(server: ApiServer, client: ClientSession) -> None:
    async with client.post(THINGS, json=thing("a")), client.post(THINGS, json=thing("a")):
        pass
    async with client.patch(f"{THINGS}/a/status", data=b'{"status":{"phase":"x"}}', headers=MERGE):
        pass
    for path, params in ((THINGS, {}), (f"{THINGS}/a", {}), (f"{THINGS}/b", {}), (THINGS, {"watch": "1"})):
        async with client.get(path, params={**params, "timeoutSeconds": "1"}) as response:
            if not params:
                await response.read()
    async with client.get("/version"), client.delete(f"{THINGS}/a"), client.delete(THINGS):
        pass

    assert server.requests[Answered("create", "things", "", 201)] == 1
    assert server.requests[Answered("create", "things", "", 409)] == 1
    assert server.requests[Answered("patch", "things", "status", 200)] == 1
    assert server.requests[Answered("get", "things", "", 404)] == 1
    assert server.requests[Answered("watch", "things", "", 200)] == 1
    assert server.requests[Answered("deletecollection", "things", "", 200)] == 1
    assert server.requests[Answered("get", "", "", 200)] == 1


async def test_objects_are_at_hand_without_http(server: ApiServer, client: ClientSession) -> None:
    """`apply` reaches the status too, and replaces what is there."""
    server.apply(thing("a", spec={"size": 1}, status={"phase": "Old"}))
    server.apply(thing("a", status={"phase": "New"}))
    server.patch("things.example.com", "a", {"metadata": {"labels": {"x": "1"}}})

    async with client.get(f"{THINGS}/a") as found:
        assert await found.json() == server.get("things.example.com", "a")
    obj = server.get("things.example.com", "a")
    assert ("spec" in obj, obj["status"], obj["metadata"]["labels"]) == (False, {"phase": "New"}, {"x": "1"})
    assert server.list("things.example.com", labels="x=1") == [obj]

    server.delete("things.example.com", "a")
    with pytest.raises(ApiError, match="not found") as error:
        server.get("things.example.com", "a")
    assert error.value.code == 404


def test_a_node_is_applied_with_its_status(server: ApiServer) -> None:
    node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n"}, "status": {"capacity": {"cpu": "4"}}}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "status": {"phase": "Running"}}

    assert server.apply(node)["status"]["capacity"] == {"cpu": "4"}
    assert server.apply(pod)["status"]["phase"] == "Running"
    assert server.get("pods", "p")["metadata"]["namespace"] == "default"


def test_what_is_applied_inside_must_fit_too(server: ApiServer) -> None:
    with pytest.raises(ApiError, match="unknown field"):
        server.apply(thing("a", spec={"colour": "red"}))


async def test_a_watch_hears_of_what_is_written_inside(server: ApiServer, client: ClientSession) -> None:
    async with client.get(THINGS, params={"watch": "1"}) as watch:
        server.apply(thing("a"))

        assert (await event(watch))["object"]["metadata"]["name"] == "a"


async def test_bookmarks_come_again_and_again_to_who_wants_them() -> None:
    """With the newest version there is, so that a quiet watch does not grow old."""
    server = ApiServer(bookmark_every=0.05)
    params = {"watch": "1", "allowWatchBookmarks": "true"}
    async with (
        server.serving() as url,
        ClientSession(url) as client,
        client.get("/api/v1/nodes", params=params) as watch,
    ):
        first = await event(watch)
        newest = server.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}})
        later = await event(watch)
        while later["object"]["metadata"]["resourceVersion"] != newest["metadata"]["resourceVersion"]:
            later = await event(watch)

    assert (first["type"], later["type"], later["object"]["kind"]) == ("BOOKMARK", "BOOKMARK", "Node")


async def test_the_server_closes_at_once(server: ApiServer) -> None:
    """Though watches are open."""
    async with ClientSession() as client:
        async with server.serving() as url:
            watch = await client.get(f"{url}{THINGS}", params={"watch": "1"})
            started = time.monotonic()
        took = time.monotonic() - started
        assert await watch.content.readline() == b""

    assert took < 0.5


async def test_a_server_can_be_served_again(server: ApiServer) -> None:
    async with server.serving():
        server.apply(thing("a"))
    async with server.serving() as url, ClientSession(url) as client, client.get(f"{THINGS}/a") as found:
        assert found.status == 200


async def test_a_version_from_before_a_restart_is_too_old(server: ApiServer) -> None:
    params = {"watch": "1", "resourceVersion": "17"}
    async with server.serving() as url, ClientSession(url) as client, client.get(THINGS, params=params) as watch:
        assert (await event(watch))["object"]["code"] == 410


@pytest.mark.parametrize("path", ["/api/v1/namespaces", "/api/v1/namespaces/default/configmaps"])
async def test_protobuf_is_refused_with_a_way_out(client: ClientSession, path: str) -> None:
    headers = {"Content-Type": "application/vnd.kubernetes.protobuf"}
    async with client.post(path, data=b"k8s\x00", headers=headers) as answer:
        assert answer.status == 415
        assert "kubectl apply -f" in (await answer.json())["message"]


async def test_an_access_review_is_answered_whatever_it_says(client: ClientSession) -> None:
    path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
    headers = {"Content-Type": "application/vnd.kubernetes.protobuf"}
    async with client.post(path, data=b"k8s\x00", headers=headers) as answer:
        assert (answer.status, (await answer.json())["status"]["allowed"]) == (201, True)


async def test_the_old_openapi_is_five_bytes(client: ClientSession) -> None:
    async with client.get("/openapi/v2", headers={"Accept": "application/json"}) as answer:
        assert await answer.read() == bytes.fromhex("0a03322e30")


async def test_discovery_in_its_plain_form_is_enough(client: ClientSession) -> None:
    async with client.get("/apis", headers={"Accept": "application/json"}) as answer:
        assert (await answer.json())["kind"] == "APIGroupList"


def test_a_definition_comes_through_the_same_door_as_a_posted_one() -> None:
    with pytest.raises(ApiError, match=r"spec\.scope"):
        ApiServer(
            crds=[
                {
                    "apiVersion": "apiextensions.k8s.io/v1",
                    "kind": "CustomResourceDefinition",
                    "metadata": {"name": "x.y"},
                    "spec": {"group": "y", "names": {"plural": "x", "kind": "X"}, "scope": "?", "versions": []},
                }
            ]
        )
