"""Deletion: at once, or when the finalizers allow it; only of the object that is meant."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.contract.apiserver.client import GROUP, WIDGETS, configmap


if TYPE_CHECKING:
    from tests.contract.apiserver.client import Api


async def test_what_nothing_holds_is_gone_at_once(api: Api) -> None:
    created = await api.create_widget("a")

    answer = await api.delete(f"{WIDGETS}/a")

    assert (answer.status, answer["kind"], answer["status"]) == (200, "Status", "Success")
    details = {"name": "a", "group": GROUP, "kind": "widgets", "uid": created["metadata"]["uid"]}
    assert answer["details"] == details
    assert (await api.get(f"{WIDGETS}/a")).status == 404


async def test_finalizers_hold_what_is_deleted(api: Api) -> None:
    await api.create_widget("a", finalizers=["example.com/hold"])

    answer = await api.delete(f"{WIDGETS}/a")
    again = await api.delete(f"{WIDGETS}/a")

    assert (answer.status, answer["kind"]) == (200, "Widget")
    assert answer["metadata"]["deletionTimestamp"]
    assert answer["metadata"]["generation"] == 2
    assert again.body == answer.body


async def test_the_last_finalizer_lets_go(api: Api) -> None:
    await api.create_widget("a", finalizers=["example.com/one", "example.com/two"])
    await api.delete(f"{WIDGETS}/a")

    one = await api.patch(f"{WIDGETS}/a", {"metadata": {"finalizers": ["example.com/two"]}})
    assert one.status == 200
    assert (await api.get(f"{WIDGETS}/a")).status == 200

    two = await api.patch(f"{WIDGETS}/a", {"metadata": {"finalizers": []}})
    assert (two.status, two["kind"]) == (200, "Widget")
    assert (await api.get(f"{WIDGETS}/a")).status == 404


async def test_what_is_going_takes_no_new_finalizer(api: Api) -> None:
    await api.create_widget("a", finalizers=["example.com/hold"])
    await api.delete(f"{WIDGETS}/a")

    answer = await api.patch(f"{WIDGETS}/a", {"metadata": {"finalizers": ["example.com/hold", "example.com/new"]}})

    assert (answer.status, answer.causes) == (422, {("metadata.finalizers", "FieldValueForbidden")})


async def test_what_is_going_can_still_be_written(api: Api) -> None:
    await api.create_widget("a", finalizers=["example.com/hold"])
    await api.delete(f"{WIDGETS}/a")

    reported = await api.patch(f"{WIDGETS}/a/status", {"status": {"phase": "Going"}})
    revived = await api.patch(f"{WIDGETS}/a", {"metadata": {"deletionTimestamp": None}})

    assert reported["status"] == {"phase": "Going"}
    assert revived["metadata"]["deletionTimestamp"]


async def test_a_name_is_free_again_for_another_object(api: Api) -> None:
    first = await api.create_widget("a")
    await api.delete(f"{WIDGETS}/a")

    second = await api.create_widget("a")

    assert second["metadata"]["uid"] != first["metadata"]["uid"]
    assert int(second.version) > int(first.version)


@pytest.mark.parametrize("precondition", [{"uid": "another"}, {"resourceVersion": "1"}])
async def test_another_object_than_is_meant_stays(api: Api, precondition: dict[str, str]) -> None:
    await api.create_widget("a")

    answer = await api.delete(f"{WIDGETS}/a", {"preconditions": precondition})

    assert (answer.status, answer["reason"]) == (409, "Conflict")
    assert (await api.get(f"{WIDGETS}/a")).status == 200


async def test_the_object_that_is_meant_goes(api: Api) -> None:
    created = await api.create_widget("a")
    meant = {"uid": created["metadata"]["uid"], "resourceVersion": created.version}

    answer = await api.delete(f"{WIDGETS}/a", {"kind": "DeleteOptions", "apiVersion": "v1", "preconditions": meant})

    assert answer.status == 200


async def test_a_selection_is_deleted_at_once(api: Api) -> None:
    for name, colour in (("a", "red"), ("b", "red"), ("c", "blue")):
        await api.create_widget(name, labels={"colour": colour})

    answer = await api.delete(WIDGETS, labelSelector="colour=red")

    assert {item["metadata"]["name"] for item in answer["items"]} == {"a", "b"}
    assert [item["metadata"]["name"] for item in (await api.get(WIDGETS))["items"]] == ["c"]


async def test_a_built_in_kind_is_deleted_the_same_way(api: Api) -> None:
    await api.post(api.configmaps, configmap("a"))

    answer = await api.delete(f"{api.configmaps}/a")

    assert (answer["kind"], answer["details"]["kind"]) == ("Status", "configmaps")
