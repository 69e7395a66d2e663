"""Definitions that are posted, changed and withdrawn while the server runs."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import pytest

from tests.contract.apiserver.client import PATIENCE
from tests.contract.apiserver.crd import crd
from tests.support.waiting import answered


if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.contract.apiserver.client import Api


DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
Definition = dict[str, Any]


@pytest.fixture
async def definition(api: Api) -> AsyncIterator[Definition]:
    """A definition in a group of its own, which is not posted yet and gone afterwards."""
    found = crd(f"{api.namespace}.example.com", plural="gizmos", kind="Gizmo")
    yield found
    await api.delete(f"{DEFINITIONS}/{found['metadata']['name']}")


def objects(definition: Definition, version: str = "v1") -> str:
    return f"/apis/{definition['spec']['group']}/{version}/gizmos"


def gizmo(definition: Definition, name: str, version: str = "v1") -> dict[str, Any]:
    api_version = f"{definition['spec']['group']}/{version}"
    return {"apiVersion": api_version, "kind": "Gizmo", "metadata": {"name": name}, "spec": {"node": "n1"}}


async def wait_until_served(api: Api, path: str, status: int = HTTPStatus.OK) -> None:
    await answered(lambda: api.get(path), lambda answer: answer.status == status, within=PATIENCE)


async def test_a_posted_definition_is_served(api: Api, definition: Definition) -> None:
    posted = await api.post(DEFINITIONS, definition)
    await wait_until_served(api, objects(definition))

    assert posted.status == 201
    assert (await api.post(objects(definition), gizmo(definition, "a"))).status == 201
    found = await api.get(f"{DEFINITIONS}/{definition['metadata']['name']}")
    conditions = {c["type"]: c["status"] for c in found["status"]["conditions"]}
    assert conditions == {"NamesAccepted": "True", "Established": "True"}
    assert found["status"]["storedVersions"] == ["v1"]
    assert found["status"]["acceptedNames"]["listKind"] == "GizmoList"
    assert found["spec"]["names"]["singular"] == "gizmo"


async def test_openapi_follows_the_definitions(api: Api, definition: Definition) -> None:
    await api.post(DEFINITIONS, definition)
    path = f"apis/{definition['spec']['group']}/v1"
    await wait_until_served(api, f"/openapi/v3/{path}")

    async def url() -> str:
        return str((await api.get("/openapi/v3"))["paths"][path]["serverRelativeURL"])

    old = await url()

    schema = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    schema["properties"]["spec"]["properties"] |= {"fresh": {"type": "string"}}
    name = definition["metadata"]["name"]
    await api.patch(f"{DEFINITIONS}/{name}", {"spec": {"versions": definition["spec"]["versions"]}})

    await answered(url, lambda new: new != old, within=PATIENCE)


async def test_a_withdrawn_definition_takes_its_objects_along(api: Api, definition: Definition) -> None:
    await api.post(DEFINITIONS, definition)
    await wait_until_served(api, objects(definition))
    await api.post(objects(definition), gizmo(definition, "a"))

    await api.delete(f"{DEFINITIONS}/{definition['metadata']['name']}")

    await wait_until_served(api, objects(definition), status=404)
    await wait_until_served(api, f"{DEFINITIONS}/{definition['metadata']['name']}", status=404)


async def test_versions_of_a_kind_are_views_of_the_same_objects(api: Api, definition: Definition) -> None:
    old = definition["spec"]["versions"][0]
    definition["spec"]["versions"].append({**old, "name": "v1beta1", "storage": False})
    await api.post(DEFINITIONS, definition)
    await wait_until_served(api, objects(definition, "v1beta1"))

    created = await api.post(objects(definition, "v1beta1"), gizmo(definition, "a", "v1beta1"))
    found = await api.get(f"{objects(definition)}/a")

    assert created["apiVersion"].endswith("/v1beta1")
    assert found["apiVersion"].endswith("/v1")
    assert found["metadata"]["uid"] == created["metadata"]["uid"]
    assert (await api.get(objects(definition, "v1beta1")))["items"][0]["apiVersion"].endswith("/v1beta1")


@pytest.mark.parametrize(
    "broken",
    [{"type": "nonsense"}, {"type": "string", "pattern": "("}, {"type": "array", "x-kubernetes-list-type": "map"}],
)
async def test_a_schema_must_be_one(api: Api, definition: Definition, broken: dict[str, Any]) -> None:
    schema = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    schema["properties"]["spec"]["properties"]["broken"] = broken

    assert (await api.post(DEFINITIONS, definition)).status == 422


async def test_without_a_status_subresource_status_is_an_ordinary_field(api: Api, definition: Definition) -> None:
    definition["spec"]["versions"][0]["subresources"] = {}
    await api.post(DEFINITIONS, definition)
    await wait_until_served(api, objects(definition))

    created = await api.post(objects(definition), gizmo(definition, "a") | {"status": {"phase": "Born"}})
    changed = await api.patch(f"{objects(definition)}/a", {"status": {"phase": "Fine"}})

    assert created["status"] == {"phase": "Born"}
    assert changed["status"] == {"phase": "Fine"}
    assert changed["metadata"]["generation"] == 2
    assert (await api.get(f"{objects(definition)}/a/status")).status == 404


async def test_a_namespaced_kind_lives_in_namespaces(api: Api, definition: Definition) -> None:
    definition["spec"]["scope"] = "Namespaced"
    await api.post(DEFINITIONS, definition)
    await wait_until_served(api, objects(definition))
    group = definition["spec"]["group"]

    created = await api.post(f"/apis/{group}/v1/namespaces/{api.namespace}/gizmos", gizmo(definition, "a"))

    assert created["metadata"]["namespace"] == api.namespace
    assert (await api.post(objects(definition), gizmo(definition, "b"))).status == 404


@pytest.mark.parametrize(
    "broken",
    [
        {"metadata": {"name": "wrong.example.com"}},
        {"spec": {"scope": "Galaxy"}},
        {"spec": {"names": {"kind": None}}},
        {"spec": {"versions": []}},
        {"spec": {"versions": [{"name": "v1", "served": True, "storage": True}]}},
        {"spec": {"versions": [{"name": "v1", "served": True, "storage": False, "schema": None}]}},
    ],
)
async def test_a_definition_must_be_one(api: Api, definition: Definition, broken: dict[str, Any]) -> None:
    for part, change in broken.items():
        definition[part] |= change

    assert (await api.post(DEFINITIONS, definition)).status in (400, 422)
