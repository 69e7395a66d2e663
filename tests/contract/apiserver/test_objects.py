"""Objects: created, read, replaced, and the answers when that is not possible."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.contract.apiserver.client import GROUP, STRATEGIC, WIDGETS, configmap, widget


if TYPE_CHECKING:
    from tests.contract.apiserver.client import Api


async def test_a_new_object_gets_what_only_the_server_knows(api: Api) -> None:
    sent = widget("a", uid="mine", creationTimestamp="2001-01-01T00:00:00Z", generation=7)

    created = await api.post(WIDGETS, sent)

    meta = created["metadata"]
    assert created.status == 201
    assert meta["uid"] != "mine"
    assert not meta["creationTimestamp"].startswith("2001")
    assert meta["generation"] == 1
    assert int(meta["resourceVersion"]) > 0
    assert (await api.get(f"{WIDGETS}/a")).body == created.body


async def test_every_object_and_every_list_says_what_it_is(api: Api) -> None:
    await api.create_widget("a")

    listed = await api.get(WIDGETS)

    assert (listed["kind"], listed["apiVersion"]) == ("WidgetList", f"{GROUP}/v1")
    assert listed["items"][0]["kind"] == "Widget"
    assert int(listed.version) >= int(listed["items"][0]["metadata"]["resourceVersion"])


async def test_a_list_of_nothing_is_a_list(api: Api) -> None:
    listed = await api.get(WIDGETS)

    assert listed["items"] == []
    assert int(listed.version) > 0


async def test_generate_name_makes_a_name(api: Api) -> None:
    sent = widget("")
    sent["metadata"] = {"generateName": "some-"}

    created = await api.post(WIDGETS, sent)

    name = created["metadata"]["name"]
    assert name.startswith("some-")
    assert len(name) == len("some-") + 5


@pytest.mark.parametrize("name", ["", "Upper", "under_score", "-dash"])
async def test_a_name_is_a_dns_name(api: Api, name: str) -> None:
    answer = await api.post(WIDGETS, widget(name))

    assert (answer.status, answer["reason"]) == (422, "Invalid")
    assert {field for field, _ in answer.causes} == {"metadata.name"}


async def test_a_name_is_taken_once(api: Api) -> None:
    await api.create_widget("a")

    again = await api.post(WIDGETS, widget("a"))

    assert (again.status, again["reason"]) == (409, "AlreadyExists")
    assert again["details"] == {"name": "a", "group": GROUP, "kind": "widgets"}


@pytest.mark.parametrize("method", ["get", "put", "patch", "delete"])
async def test_what_is_not_there_is_not_found(api: Api, method: str) -> None:
    sent = widget("a", resourceVersion="1")
    answer = await {
        "get": lambda: api.get(f"{WIDGETS}/a"),
        "put": lambda: api.put(f"{WIDGETS}/a", sent),
        "patch": lambda: api.patch(f"{WIDGETS}/a", {}),
        "delete": lambda: api.delete(f"{WIDGETS}/a"),
    }[method]()

    assert (answer.status, answer["kind"], answer["reason"]) == (404, "Status", "NotFound")
    assert answer["details"] == {"name": "a", "group": GROUP, "kind": "widgets"}


async def test_a_namespace_must_exist(api: Api) -> None:
    answer = await api.post("/api/v1/namespaces/nowhere/configmaps", configmap("a"))

    assert (answer.status, answer["details"]) == (404, {"name": "nowhere", "kind": "namespaces"})


async def test_default_and_kube_system_are_there(api: Api) -> None:
    for name in ("default", "kube-system"):
        found = await api.get(f"/api/v1/namespaces/{name}")

        assert found["status"]["phase"] == "Active"
        assert found["metadata"]["labels"]["kubernetes.io/metadata.name"] == name


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"kind": "Gadget"}, 422),
        ({"apiVersion": f"{GROUP}/v2"}, 400),
        ({"kind": ""}, 400),
        ({"metadata": {"name": "a", "labels": {"x": 1}}}, 400),
        ({"metadata": {"name": "a", "labels": {"a b": "x"}}}, 422),
        ({"metadata": {"name": "a", "labels": {"x": "a b"}}}, 422),
    ],
)
async def test_a_body_must_be_what_the_path_says(api: Api, change: dict[str, object], status: int) -> None:
    assert (await api.post(WIDGETS, {**widget("a"), **change})).status == status


async def test_a_body_must_be_json(api: Api) -> None:
    assert (await api.post(WIDGETS, b'{"kind')).status == 400
    assert (await api.post(WIDGETS, b"x", content_type="text/plain")).status == 415


async def test_a_body_may_be_yaml(api: Api) -> None:
    text = (
        f"apiVersion: {GROUP}/v1\nkind: Widget\nmetadata: {{name: a}}\nspec: {{node: n1, when: 2026-01-01T00:00:00Z}}"
    )

    created = await api.post(WIDGETS, text.encode(), content_type="application/yaml")

    assert created.status == 201
    assert created["spec"]["when"] == "2026-01-01T00:00:00Z"


async def test_the_namespace_of_the_body_is_that_of_the_path(api: Api) -> None:
    sent = configmap("a")
    sent["metadata"]["namespace"] = "default"

    assert (await api.post(api.configmaps, sent)).status == 400


async def test_a_write_that_changes_nothing_is_no_write(api: Api) -> None:
    before = await api.create_widget("a", labels={"x": "1"})

    after = await api.patch(f"{WIDGETS}/a", {"metadata": {"labels": {"x": "1"}}, "spec": {"node": "n1"}})
    put = await api.put(f"{WIDGETS}/a", before.body)

    assert after.body == before.body == put.body


async def test_generation_counts_what_is_asked_for(api: Api) -> None:
    """Labels and status are no new generation; spec is."""
    await api.create_widget("a")

    labelled = await api.patch(f"{WIDGETS}/a", {"metadata": {"labels": {"x": "1"}}})
    reported = await api.patch(f"{WIDGETS}/a/status", {"status": {"phase": "Fine"}})
    changed = await api.patch(f"{WIDGETS}/a", {"spec": {"size": 4}})

    assert [a["metadata"]["generation"] for a in (labelled, reported, changed)] == [1, 1, 2]


async def test_a_put_of_a_custom_resource_names_its_version(api: Api) -> None:
    await api.create_widget("a")

    answer = await api.put(f"{WIDGETS}/a", widget("a"))

    assert (answer.status, answer.causes) == (422, {("metadata.resourceVersion", "FieldValueInvalid")})


async def test_a_put_of_a_config_map_may_leave_the_version_out(api: Api) -> None:
    await api.post(api.configmaps, configmap("a", x="1"))

    answer = await api.put(f"{api.configmaps}/a", configmap("a", x="2"))

    assert (answer.status, answer["data"]) == (200, {"x": "2"})


@pytest.mark.parametrize("method", ["put", "patch", "status"])
async def test_who_has_seen_an_older_version_is_refused(api: Api, method: str) -> None:
    old = (await api.create_widget("a")).version
    await api.patch(f"{WIDGETS}/a", {"spec": {"size": 4}})

    stale = {"metadata": {"resourceVersion": old}, "spec": {"size": 5}, "status": {"phase": "x"}}
    answer = await {
        "put": lambda: api.put(f"{WIDGETS}/a", widget("a", {"size": 5}, resourceVersion=old)),
        "patch": lambda: api.patch(f"{WIDGETS}/a", stale),
        "status": lambda: api.patch(f"{WIDGETS}/a/status", stale),
    }[method]()

    assert (answer.status, answer["reason"]) == (409, "Conflict")
    assert answer["details"] == {"name": "a", "group": GROUP, "kind": "widgets"}


async def test_a_put_replaces_and_keeps_what_the_server_wrote(api: Api) -> None:
    before = await api.create_widget("a", {"mode": "fast"}, labels={"x": "1"})
    sent = widget("a", {"size": 9}, resourceVersion=before.version)

    after = await api.put(f"{WIDGETS}/a", sent)

    assert after["spec"] == {"node": "n1", "size": 9}
    assert "labels" not in after["metadata"]
    for name in ("uid", "creationTimestamp"):
        assert after["metadata"][name] == before["metadata"][name]


async def test_name_and_identity_never_change(api: Api) -> None:
    await api.create_widget("a")

    assert (await api.patch(f"{WIDGETS}/a", {"metadata": {"name": "b"}})).status == 400
    assert (await api.patch(f"{WIDGETS}/a", {"kind": "Gadget"})).status == 422
    assert (await api.patch(f"{WIDGETS}/a", {"metadata": {"uid": "other"}})).status in (409, 422)


async def test_a_dry_run_answers_and_keeps_nothing(api: Api) -> None:
    created = await api.post(WIDGETS, widget("a"), dryRun="All")
    assert created.status == 201
    assert (await api.get(f"{WIDGETS}/a")).status == 404

    before = await api.create_widget("a")
    changed = await api.patch(f"{WIDGETS}/a", {"spec": {"size": 9}}, dryRun="All")
    assert changed["spec"]["size"] == 9

    assert (await api.delete(f"{WIDGETS}/a", dryRun="All")).status == 200
    assert (await api.delete(f"{WIDGETS}/a", dryRun="Some")).status == 422
    assert (await api.get(f"{WIDGETS}/a")).body == before.body


async def test_status_and_the_rest_are_written_apart(api: Api) -> None:
    """The main path never changes the status, ``/status`` never changes anything else."""
    sent = widget("a") | {"status": {"phase": "Born"}}
    created = await api.post(WIDGETS, sent)
    assert "status" not in created.body

    change = {"metadata": {"labels": {"x": "1"}}, "spec": {"size": 9}, "status": {"phase": "Fine"}}
    reported = await api.patch(f"{WIDGETS}/a/status", change)
    assert reported["status"] == {"phase": "Fine"}
    assert reported["spec"]["size"] == 3
    assert "labels" not in reported["metadata"]

    change["status"] = {"phase": "Gone"}
    changed = await api.patch(f"{WIDGETS}/a", change)
    assert changed["status"] == {"phase": "Fine"}
    assert changed["spec"]["size"] == 9


async def test_the_status_can_be_read_and_put(api: Api) -> None:
    created = await api.create_widget("a")

    put = await api.put(f"{WIDGETS}/a/status", created.body | {"status": {"phase": "Fine"}})

    assert put["status"] == {"phase": "Fine"}
    assert (await api.get(f"{WIDGETS}/a/status")).body == put.body


async def test_a_nodes_status_is_written_apart_too(api: Api) -> None:
    name = f"node-{api.namespace}"
    node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}}
    assert (await api.post("/api/v1/nodes", node)).status == 201

    path = f"/api/v1/nodes/{name}"
    reported = await api.patch(
        f"{path}/status", {"spec": {"unschedulable": True}, "status": {"capacity": {"cpu": "4"}}}, STRATEGIC
    )
    assert reported["status"]["capacity"] == {"cpu": "4"}
    assert "unschedulable" not in reported.body.get("spec", {})

    changed = await api.patch(path, {"spec": {"unschedulable": True}, "status": {"capacity": {"cpu": "8"}}}, STRATEGIC)
    assert changed["status"]["capacity"] == {"cpu": "4"}
    assert changed["spec"]["unschedulable"] is True

    await api.delete(path)


@pytest.mark.parametrize(
    ("path", "method", "status"),
    [
        (f"{WIDGETS}/a/scale", "get", 404),
        (f"{WIDGETS}/a/nonsense", "get", 404),
        (f"/apis/{GROUP}/v1/nonsense", "get", 404),
        ("/apis/nonsense.example.com/v1/things", "get", 404),
        ("/apis/nonsense.example.com/v1", "get", 404),
        ("/api/v1/nonsense", "get", 404),
        ("/nonsense", "get", 404),
        ("/api/v1/namespaces", "put", 405),
        ("/api/v1/configmaps", "post", 405),
    ],
)
async def test_there_is_nothing_elsewhere(api: Api, path: str, method: str, status: int) -> None:
    answer = await {
        "get": lambda: api.get(path),
        "put": lambda: api.put(path, {}),
        "post": lambda: api.post(path, configmap("a")),
    }[method]()

    assert answer.status == status
