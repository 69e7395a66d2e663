"""The store keeps objects, versions and a history that ends."""

from __future__ import annotations

import time

from typing import Any

import pytest

from hypothesis import given, settings
from hypothesis import strategies as st

from pcidevices.sim.apiserver.errors import ApiError
from pcidevices.sim.apiserver.kinds import Resource
from pcidevices.sim.apiserver.store import Key, Store


THINGS = Resource("example.com", "things")
OTHERS = Resource("example.com", "others")
WRITES = st.lists(st.tuples(st.sampled_from("abc"), st.booleans()), max_size=12)


def thing(name: str, value: int = 0) -> dict[str, Any]:
    return {"metadata": {"name": name, "uid": name}, "value": value}


def put(store: Store, name: str, value: int = 0) -> dict[str, Any]:
    return store.put(THINGS, Key("", name), thing(name, value))


@settings(max_examples=40)
@given(WRITES)
def test_every_moment_in_the_history_can_be_seen_again(writes: list[tuple[str, bool]]) -> None:
    store = Store()
    moments = [(store.version, store.objects(THINGS))]
    for value, (name, removing) in enumerate(writes):
        if not removing:
            put(store, name, value)
        elif store.get(THINGS, Key("", name)):
            store.remove(THINGS, Key("", name))
        moments.append((store.version, store.objects(THINGS)))

    for version, objects in moments:
        assert store.objects_at(THINGS, version) == objects


@settings(max_examples=40)
@given(WRITES)
def test_the_changes_since_a_moment_lead_from_it_to_now(writes: list[tuple[str, bool]]) -> None:
    store = Store()
    put(store, "a")
    since, seen = store.version, dict(store.objects(THINGS))
    for value, (name, removing) in enumerate(writes):
        if not removing:
            put(store, name, value)
        elif store.get(THINGS, Key("", name)):
            store.remove(THINGS, Key("", name))

    for change in store.changes(THINGS, since):
        if change.type == "DELETED":
            del seen[change.key]
        else:
            seen[change.key] = change.after
    assert sorted(seen.items()) == store.objects(THINGS)


def test_a_stored_object_is_never_changed() -> None:
    store = Store()
    first = put(store, "a", 1)
    put(store, "a", 2)

    assert first["value"] == 1


def test_history_ends_for_who_is_too_far_behind() -> None:
    store = Store(history=2)
    start = store.version
    for value in range(3):
        put(store, "a", value)

    assert len(store.changes(THINGS, start + 1)) == 2
    assert store.changes(OTHERS, start) == []
    with pytest.raises(ApiError, match="too old resource version"):
        store.changes(THINGS, start)


def test_versions_begin_at_the_clock() -> None:
    """So a version from before a restart is older than all history."""
    before = Store()
    put(before, "a")
    after = Store()

    assert abs(after.version - time.time() * 1000) < 60_000
    with pytest.raises(ApiError, match="too old resource version"):
        after.changes(THINGS, before.version - 1000)


def test_expired_history_is_closed_to_newcomers_only() -> None:
    store = Store()
    seen = store.version
    store.expire()
    put(store, "a")

    assert len(store.changes(THINGS, seen)) == 1
    with pytest.raises(ApiError, match="too old resource version"):
        store.check_known(seen)


def test_owned_objects_are_known_by_their_owner() -> None:
    store = Store()
    obj = thing("a")
    obj["metadata"]["ownerReferences"] = [{"uid": "owner"}]
    store.put(THINGS, Key("", "a"), obj)
    put(store, "b")
    assert [key.name for _, key, _ in store.owned_by("owner")] == ["a"]

    put(store, "a")
    assert store.owned_by("owner") == []
