"""Watches: everything that happens, once, in order, from a version on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.contract.apiserver.client import TABLE, WIDGETS


if TYPE_CHECKING:
    from tests.contract.apiserver.client import Api


def told(event: dict[str, Any]) -> tuple[str, str]:
    return event["type"], event["object"]["metadata"].get("name", "")


@pytest.mark.parametrize("version", [None, "0"])
async def test_a_watch_from_nowhere_begins_with_what_is_there(api: Api, version: str | None) -> None:
    await api.create_widget("a")
    await api.create_widget("b")

    query = {} if version is None else {"resourceVersion": version}
    async with api.watch(WIDGETS, **query) as watched:
        first = {told(await watched.next()), told(await watched.next())}
        await api.create_widget("c")

        assert first == {("ADDED", "a"), ("ADDED", "b")}
        assert told(await watched.next()) == ("ADDED", "c")


async def test_a_watch_from_a_version_has_only_what_is_newer(api: Api) -> None:
    await api.create_widget("a")
    version = (await api.get(WIDGETS)).version
    await api.create_widget("b")

    async with api.watch(WIDGETS, resourceVersion=version) as watched:
        assert told(await watched.next()) == ("ADDED", "b")
        await api.patch(f"{WIDGETS}/a", {"spec": {"size": 5}})
        await api.patch(f"{WIDGETS}/a/status", {"status": {"phase": "Fine"}})
        await api.delete(f"{WIDGETS}/a")

        seen = [await watched.next() for _ in range(3)]

    assert [told(event) for event in seen] == [("MODIFIED", "a"), ("MODIFIED", "a"), ("DELETED", "a")]
    versions = [int(event["object"]["metadata"]["resourceVersion"]) for event in seen]
    assert versions == sorted(set(versions))
    assert seen[-1]["object"]["status"] == {"phase": "Fine"}


async def test_a_watch_may_resume_from_any_event_it_saw(api: Api) -> None:
    version = (await api.create_widget("a")).version
    for size in (4, 5, 6):
        await api.patch(f"{WIDGETS}/a", {"spec": {"size": size}})

    async with api.watch(WIDGETS, resourceVersion=version) as watched:
        events = [await watched.next() for _ in range(3)]
    middle = events[0]["object"]["metadata"]["resourceVersion"]
    async with api.watch(WIDGETS, resourceVersion=middle) as watched:
        again = [await watched.next() for _ in range(2)]

    assert [event["object"]["spec"]["size"] for event in events] == [4, 5, 6]
    assert again == events[1:]


async def test_writes_that_change_nothing_are_not_seen(api: Api) -> None:
    version = (await api.create_widget("a")).version

    async with api.watch(WIDGETS, resourceVersion=version) as watched:
        await api.patch(f"{WIDGETS}/a", {"spec": {"node": "n1"}})
        await api.patch(f"{WIDGETS}/a", {"spec": {"size": 9}}, dryRun="All")
        await api.create_widget("b")

        assert told(await watched.next()) == ("ADDED", "b")


async def test_a_version_that_is_too_old_is_told_so_in_the_stream(api: Api) -> None:
    """The answer is 200; the first and only event is an ERROR with a 410."""
    await api.create_widget("a")

    async with api.watch(WIDGETS, resourceVersion="1") as watched:
        events = await watched.rest()

    assert [event["type"] for event in events] == ["ERROR"]
    status = events[0]["object"]
    assert (status["kind"], status["code"], status["reason"]) == ("Status", 410, "Expired")


async def test_what_leaves_the_selector_is_deleted_what_enters_is_added(api: Api) -> None:
    await api.create_widget("a", labels={"colour": "red"})
    version = (await api.create_widget("b")).version

    async with api.watch(WIDGETS, resourceVersion=version, labelSelector="colour=red") as watched:
        blue = await api.patch(f"{WIDGETS}/a", {"metadata": {"labels": {"colour": "blue"}}})
        await api.patch(f"{WIDGETS}/a", {"spec": {"size": 5}})
        await api.patch(f"{WIDGETS}/b", {"metadata": {"labels": {"colour": "red"}}})

        left, entered = await watched.next(), await watched.next()

    assert (told(left), told(entered)) == (("DELETED", "a"), ("ADDED", "b"))
    assert left["object"]["metadata"]["labels"] == {"colour": "red"}
    assert left["object"]["metadata"]["resourceVersion"] == blue.version


async def test_one_object_is_watched_by_its_name(api: Api) -> None:
    await api.create_widget("a")
    await api.create_widget("b")

    async with api.watch(WIDGETS, fieldSelector="metadata.name=b") as watched:
        assert told(await watched.next()) == ("ADDED", "b")
        await api.delete(f"{WIDGETS}/a")
        await api.delete(f"{WIDGETS}/b")

        assert told(await watched.next()) == ("DELETED", "b")


async def test_a_selectable_field_selects_events(api: Api) -> None:
    version = (await api.create_widget("a")).version

    async with api.watch(WIDGETS, resourceVersion=version, fieldSelector="spec.node=n2") as watched:
        await api.patch(f"{WIDGETS}/a", {"spec": {"size": 5}})
        await api.patch(f"{WIDGETS}/a", {"spec": {"node": "n2"}})
        await api.patch(f"{WIDGETS}/a", {"spec": {"node": "n1"}})

        assert [told(await watched.next()) for _ in range(2)] == [("ADDED", "a"), ("DELETED", "a")]


async def test_a_bookmark_ends_the_initial_events(api: Api) -> None:
    created = await api.create_widget("a")

    query = {"sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan", "allowWatchBookmarks": "true"}
    async with api.watch(WIDGETS, **query) as watched:
        added, bookmark = await watched.next(), await watched.next()
        await api.create_widget("b")
        later = await watched.next()

    assert told(added) == ("ADDED", "a")
    assert (bookmark["type"], bookmark["object"]["kind"]) == ("BOOKMARK", "Widget")
    assert bookmark["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}
    assert int(bookmark["object"]["metadata"]["resourceVersion"]) >= int(created.version)
    assert told(later) == ("ADDED", "b")


@pytest.mark.parametrize("query", [{"sendInitialEvents": "true"}, {"resourceVersionMatch": "NotOlderThan"}])
async def test_initial_events_and_their_match_go_together(api: Api, query: dict[str, str]) -> None:
    answer = await api.get(WIDGETS, watch="true", **query)

    assert (answer.status, answer.causes) == (422, {("resourceVersionMatch", "FieldValueForbidden")})


async def test_a_watch_ends_in_good_order_when_its_time_is_up(api: Api) -> None:
    await api.create_widget("a")

    async with api.watch(WIDGETS, timeoutSeconds="1") as watched:
        events = await watched.rest()

    assert [told(event) for event in events] == [("ADDED", "a")]


@pytest.mark.parametrize("value", ["True", "1", "yes"])
async def test_all_but_false_and_zero_is_true(api: Api, value: str) -> None:
    await api.create_widget("a")

    async with api.watch(WIDGETS, watch=value) as watched:
        assert told(await watched.next()) == ("ADDED", "a")
    for no in ("false", "0"):
        assert (await api.get(WIDGETS, watch=no))["kind"] == "WidgetList"


async def test_a_watch_may_be_of_tables(api: Api) -> None:
    """Each event holds a Table of one row; the columns are named once."""
    await api.create_widget("a")

    async with api.watch(WIDGETS, accept=TABLE) as watched:
        first = await watched.next()
        await api.create_widget("b", {"node": "n2"})
        second = await watched.next()

    assert first["object"]["kind"] == second["object"]["kind"] == "Table"
    assert [column["name"] for column in first["object"]["columnDefinitions"]][:2] == ["Name", "Node"]
    assert not second["object"]["columnDefinitions"]
    row = second["object"]["rows"][0]
    assert (row["cells"][:2], row["object"]["metadata"]["name"]) == (["b", "n2"], "b")


async def test_a_deletion_that_finalizers_hold_is_a_change(api: Api) -> None:
    version = (await api.create_widget("a", finalizers=["example.com/hold"])).version

    async with api.watch(WIDGETS, resourceVersion=version) as watched:
        await api.delete(f"{WIDGETS}/a")
        held = await watched.next()
        await api.patch(f"{WIDGETS}/a", {"metadata": {"finalizers": None}})
        gone = await watched.next()

    assert told(held) == ("MODIFIED", "a")
    assert held["object"]["metadata"]["deletionTimestamp"]
    assert told(gone) == ("DELETED", "a")


async def test_a_client_that_watches_a_namespace_sees_no_other(api: Api) -> None:
    version = (await api.get(api.configmaps)).version

    async with api.watch(api.configmaps, resourceVersion=version) as watched:
        elsewhere = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"generateName": f"{api.namespace}-"}}
        other = await api.post("/api/v1/namespaces/default/configmaps", elsewhere)
        await api.post(api.configmaps, elsewhere)

        event = await watched.next()

    assert event["object"]["metadata"]["namespace"] == api.namespace
    await api.delete(f"/api/v1/namespaces/default/configmaps/{other['metadata']['name']}")
