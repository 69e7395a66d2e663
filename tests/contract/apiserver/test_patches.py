"""The sorts of patch that kinds take."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.contract.apiserver.client import JSON_PATCH, MERGE, STRATEGIC, WIDGETS


if TYPE_CHECKING:
    from tests.contract.apiserver.client import Api


@pytest.mark.parametrize("content_type", [STRATEGIC, "text/plain", "application/json"])
async def test_patches_of_an_unknown_sort_are_refused(api: Api, content_type: str) -> None:
    """A custom resource takes no strategic merge patch."""
    await api.create_widget("a")

    answer = await api.patch(f"{WIDGETS}/a", {}, content_type)

    assert (answer.status, answer["reason"]) == (415, "UnsupportedMediaType")


async def test_a_merge_patch_removes_by_null(api: Api) -> None:
    await api.create_widget("a", {"mode": "fast", "tags": {"x": "1", "y": "2"}})

    answer = await api.patch(f"{WIDGETS}/a", {"spec": {"mode": None, "tags": {"x": None}}}, MERGE)

    assert answer["spec"] == {"node": "n1", "size": 3, "tags": {"y": "2"}}


async def test_a_json_patch_is_done_as_a_whole(api: Api) -> None:
    await api.create_widget("a", {"list": ["x"]})
    good: list[dict[str, Any]] = [
        {"op": "test", "path": "/spec/size", "value": 3},
        {"op": "add", "path": "/spec/list/-", "value": "y"},
        {"op": "add", "path": "/spec/list/0", "value": "w"},
        {"op": "replace", "path": "/spec/size", "value": 5},
        {"op": "add", "path": "/metadata/labels", "value": {"a/b": "1"}},
        {"op": "remove", "path": "/metadata/labels/a~1b"},
    ]

    answer = await api.patch(f"{WIDGETS}/a", good, JSON_PATCH)
    failed = await api.patch(f"{WIDGETS}/a", [good[3] | {"value": 7}, good[0]], JSON_PATCH)

    assert (answer["spec"]["list"], answer["spec"]["size"]) == (["w", "x", "y"], 5)
    assert failed.status == 422
    assert (await api.get(f"{WIDGETS}/a"))["spec"]["size"] == 5


@pytest.mark.parametrize("patch", [b"nonsense", b"[]", b'"text"'])
async def test_a_patch_must_be_one(api: Api, patch: bytes) -> None:
    await api.create_widget("a")

    assert (await api.patch(f"{WIDGETS}/a", patch)).status == 400


async def test_a_strategic_merge_patch_knows_lists_that_are_maps(api: Api) -> None:
    name = f"node-{api.namespace}"
    await api.post("/api/v1/nodes", {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}})
    path = f"/api/v1/nodes/{name}"
    ready, pressure = {"type": "Ready", "status": "True"}, {"type": "MemoryPressure", "status": "False"}

    await api.patch(f"{path}/status", {"status": {"conditions": [ready, pressure]}}, STRATEGIC)
    change = {"conditions": [{"type": "Ready", "status": "False"}], "addresses": []}
    changed = await api.patch(f"{path}/status", {"status": change}, STRATEGIC)
    removal = {"conditions": [{"type": "MemoryPressure", "$patch": "delete"}]}
    removed = await api.patch(f"{path}/status", {"status": removal}, STRATEGIC)

    assert {c["type"]: c["status"] for c in changed["status"]["conditions"]} == {
        "Ready": "False",
        "MemoryPressure": "False",
    }
    assert [c["type"] for c in removed["status"]["conditions"]] == ["Ready"]
    await api.delete(path)
