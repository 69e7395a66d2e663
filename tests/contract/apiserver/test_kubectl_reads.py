"""What a person looks at, with the real kubectl. Each command must work as it does on a cluster."""

from __future__ import annotations

import json

from typing import TYPE_CHECKING

import anyio
import yaml

from tests.contract.apiserver.client import GROUP, WIDGETS
from tests.contract.apiserver.kubectl import words


if TYPE_CHECKING:
    from tests.contract.apiserver.client import Api
    from tests.contract.apiserver.kubectl import Kubectl


async def test_get_shows_the_columns(api: Api, kubectl: Kubectl) -> None:
    """By every name that the kind has; hidden columns only in wide output."""
    await api.create_widget("a", labels={"x": "1"})
    ready = {"type": "Ready", "status": "True"}
    await api.patch(f"{WIDGETS}/a/status", {"status": {"conditions": [ready]}})

    for name in ("widgets", "widget", "wdg", f"widgets.{GROUP}", f"widgets.v1.{GROUP}"):
        assert [line[:3] for line in words(await kubectl("get", name))] == [
            ["NAME", "NODE", "READY"],
            ["a", "n1", "True"],
        ]
    wide = words(await kubectl("get", "wdg", "-o", "wide"))
    assert wide[0] == ["NAME", "NODE", "READY", "SEEN", "SIZE", "AGE"]
    assert "SIZE" not in await kubectl("get", "wdg")
    assert words(await kubectl("get", "gadgets"))[1][0] in ("a", f"widget.{GROUP}/a")
    assert await kubectl("get", "wdg", "-o", "name") == f"widget.{GROUP}/a\n"
    assert words(await kubectl("get", "wdg", "--show-labels"))[1][-1] == "x=1"
    assert words(await kubectl("get", "wdg", "-L", "x"))[1][-1] == "1"
    assert await kubectl("get", "wdg", "-o", "jsonpath={.items[*].spec.node}") == "n1"


async def test_get_prints_the_object(api: Api, kubectl: Kubectl) -> None:
    created = await api.create_widget("a")

    as_yaml = yaml.safe_load(await kubectl("get", "wdg", "a", "-o", "yaml", "--show-managed-fields"))
    as_list = json.loads(await kubectl("get", "wdg", "-o", "json"))

    assert as_yaml["metadata"]["uid"] == created["metadata"]["uid"]
    assert as_yaml["metadata"]["managedFields"]
    assert (as_list["kind"], len(as_list["items"])) == ("List", 1)


async def test_get_says_that_there_is_nothing(kubectl: Kubectl) -> None:
    _, said, complained = await kubectl.tried("get", "wdg")
    assert (said, complained.strip()) == ("", "No resources found")

    code, _, complained = await kubectl.tried("get", "wdg", "a")
    assert (code, complained.strip()) == (1, f'Error from server (NotFound): widgets.{GROUP} "a" not found')


async def test_get_selects_by_labels_and_by_the_fields_that_are_declared(api: Api, kubectl: Kubectl) -> None:
    await api.create_widget("a", labels={"x": "1"})
    await api.create_widget("b", {"node": "n2"}, labels={"x": "2"})

    for selection in (["-l", "x in (2,3)"], ["-l", "x!=1"], ["--field-selector", "spec.node=n2"]):
        assert await kubectl("get", "wdg", "-o", "name", *selection) == f"widget.{GROUP}/b\n"
    code, _, complained = await kubectl.tried("get", "wdg", "--field-selector", "spec.size=3")
    assert code == 1
    assert "field label not supported: spec.size" in complained


async def test_get_makes_one_list_of_many_pages(api: Api, kubectl: Kubectl) -> None:
    for name in "abcde":
        await api.create_widget(name)

    assert [line[0] for line in words(await kubectl("get", "wdg", "--chunk-size=2"))] == ["NAME", *"abcde"]


async def test_get_sorts_by_any_field(api: Api, kubectl: Kubectl) -> None:
    await api.create_widget("a", {"size": 9})
    await api.create_widget("b", {"size": 1})

    listed = words(await kubectl("get", "wdg", "--sort-by=.spec.size"))
    assert [line[0] for line in listed] == ["NAME", "b", "a"]


async def test_get_shows_changes_as_they_come(api: Api, kubectl: Kubectl) -> None:
    await api.create_widget("a")

    async with kubectl.running("get", "wdg", "--watch") as process:
        assert process.stdout is not None
        seen = b""
        with anyio.fail_after(60):
            async for chunk in process.stdout:
                before, seen = seen, seen + chunk
                if b"\na " in seen and b"\na " not in before:
                    await api.patch(f"{WIDGETS}/a", {"spec": {"node": "n2"}})
                if b"n2" in seen and b"n2" not in before:
                    await api.create_widget("b", {"node": "n3"})
                if b"n3" in seen:
                    break

    assert [line[:2] for line in words(seen.decode())] == [["NAME", "NODE"], ["a", "n1"], ["a", "n2"], ["b", "n3"]]


async def test_describe_shows_the_object_and_its_events(api: Api, kubectl: Kubectl) -> None:
    """Events about something in no namespace are kept in ``default``, and found by its uid."""
    created = await api.create_widget("a", {"mode": "fast"})
    event = {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"generateName": "a.", "namespace": "default"},
        "involvedObject": {
            "apiVersion": f"{GROUP}/v1",
            "kind": "Widget",
            "name": "a",
            "uid": created["metadata"]["uid"],
        },
        "reason": "Tried",
        "message": "It was tried.",
        "type": "Warning",
        "source": {"component": "contract"},
        "firstTimestamp": "2026-01-01T00:00:00Z",
        "lastTimestamp": "2026-01-01T00:00:00Z",
        "count": 1,
    }
    await api.post("/api/v1/namespaces/default/events", event)

    said = await kubectl("describe", "wdg", "a")

    assert "Mode:  fast" in said
    lines = [line for line in words(said) if "Tried" in line]
    assert lines[0][:2] == ["Warning", "Tried"]
    assert lines[0][-4:] == ["contract", "It", "was", "tried."]


async def test_explain_reads_the_schema(kubectl: Kubectl) -> None:
    whole = await kubectl("explain", "widgets")
    part = await kubectl("explain", "widgets.spec.node")
    recursive = await kubectl("explain", "wdg", "--recursive")

    assert "A widget does nothing." in whole
    assert "Where the widget is." in part
    assert "FIELD: node <string>" in part
    assert "conditions" in recursive


async def test_api_resources_lists_the_kinds(kubectl: Kubectl) -> None:
    lines = words(await kubectl("api-resources"))

    assert ["widgets", "wdg", f"{GROUP}/v1", "false", "Widget"] in lines
    assert ["nodes", "no", "v1", "false", "Node"] in lines
    assert ["leases", "coordination.k8s.io/v1", "true", "Lease"] in lines
    assert await kubectl("api-resources", f"--api-group={GROUP}", "-o", "name") == f"widgets.{GROUP}\n"
    assert f"{GROUP}/v1" in await kubectl("api-versions")


async def test_nodes_are_described_cordoned_and_tainted(api: Api, kubectl: Kubectl) -> None:
    name = f"node-{api.namespace}"
    node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}}
    await api.post("/api/v1/nodes", node)

    await kubectl("cordon", name)
    await kubectl("taint", "node", name, "example.com/kept=away:NoSchedule")
    described = await kubectl("describe", "node", name)
    listed = words(await kubectl("get", "node", name))
    await kubectl("uncordon", name)

    assert "example.com/kept=away:NoSchedule" in described
    assert listed[0] == ["NAME", "STATUS", "ROLES", "AGE", "VERSION"]
    assert "SchedulingDisabled" in listed[1][1]
    assert not (await api.get(f"/api/v1/nodes/{name}"))["spec"].get("unschedulable")
    await kubectl("delete", "node", name)


async def test_events_are_listed(api: Api, kubectl: Kubectl) -> None:
    event = {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {"name": "a.1", "namespace": api.namespace},
        "regarding": {"apiVersion": f"{GROUP}/v1", "kind": "Widget", "name": "a", "namespace": api.namespace},
        "reason": "Tried",
        "note": "It was tried.",
        "type": "Normal",
        "action": "Try",
        "eventTime": "2026-01-01T00:00:00.000000Z",
        "reportingController": "contract.example.com/test",
        "reportingInstance": "test-1",
    }
    await api.post(f"/apis/events.k8s.io/v1/namespaces/{api.namespace}/events", event)

    for command in (["get", "events"], ["events"]):
        line = words(await kubectl(*command, "-n", api.namespace))[1]
        assert line[1:] == ["Normal", "Tried", "widget/a", "It", "was", "tried."] or line[1:4] == [
            "Normal",
            "Tried",
            "Widget/a",
        ]


async def test_everyone_may_do_everything(kubectl: Kubectl) -> None:
    assert (await kubectl("auth", "can-i", "create", "widgets")).strip() == "yes"
