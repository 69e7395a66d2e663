"""The three sorts of patch, as functions of documents."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from hypothesis import given, settings
from hypothesis import strategies as st

from pcidevices.sim.apiserver.builtin import BUILT_IN
from pcidevices.sim.apiserver.errors import ApiError
from pcidevices.sim.apiserver.patches import edited, merged
from pcidevices.sim.apiserver.strategic import strategically_merged


POD = next(kind for kind in BUILT_IN if kind.plural == "pods").schema
KEYS = st.sampled_from(["a", "b", "c"])
LEAVES = st.integers(0, 3) | st.lists(st.integers(0, 3), max_size=2)
DOCUMENTS = st.dictionaries(KEYS, st.recursive(LEAVES, lambda inner: st.dictionaries(KEYS, inner), max_leaves=5))


def difference(old: Any, new: Any) -> Any:
    """The merge patch that leads from one document to another."""
    if not isinstance(old, dict) or not isinstance(new, dict):
        return new
    changed = {k: difference(old.get(k), v) for k, v in new.items() if k not in old or old[k] != v}
    return changed | {k: None for k in old if k not in new}


@settings(max_examples=40)
@given(DOCUMENTS, DOCUMENTS)
def test_a_merge_patch_leads_from_any_document_to_any_other(old: dict[str, Any], new: dict[str, Any]) -> None:
    before = deepcopy(old)

    assert merged(old, difference(old, new)) == new
    assert old == before


@pytest.mark.parametrize(
    ("operations", "expected"),
    [
        ([{"op": "add", "path": "/b", "value": 2}], {"a": [1, 2], "b": 2}),
        ([{"op": "add", "path": "/a/-", "value": 3}], {"a": [1, 2, 3]}),
        ([{"op": "add", "path": "/a/0", "value": 0}], {"a": [0, 1, 2]}),
        ([{"op": "remove", "path": "/a/0"}], {"a": [2]}),
        ([{"op": "replace", "path": "/a/1", "value": 9}], {"a": [1, 9]}),
        ([{"op": "replace", "path": "", "value": {"z": 1}}], {"z": 1}),
        ([{"op": "move", "from": "/a/0", "path": "/b"}], {"a": [2], "b": 1}),
        ([{"op": "copy", "from": "/a", "path": "/b"}], {"a": [1, 2], "b": [1, 2]}),
        ([{"op": "test", "path": "/a", "value": [1, 2]}], {"a": [1, 2]}),
        ([{"op": "add", "path": "/x~1y~0z", "value": 1}], {"a": [1, 2], "x/y~z": 1}),
    ],
)
def test_a_json_patch_does_what_it_says(operations: list[Any], expected: dict[str, Any]) -> None:
    document = {"a": [1, 2]}

    assert edited(document, operations) == expected
    assert document == {"a": [1, 2]}


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "remove", "path": "/b"},
        {"op": "remove", "path": "/a/9"},
        {"op": "replace", "path": "/b", "value": 1},
        {"op": "add", "path": "/a/9", "value": 1},
        {"op": "add", "path": "/b/c", "value": 1},
        {"op": "add", "path": "/a/-1", "value": 1},
        {"op": "test", "path": "/a", "value": 1},
        {"op": "add", "path": "a", "value": 1},
        {"op": "nonsense", "path": "/a"},
        {"path": "/a"},
        "nonsense",
    ],
)
def test_a_json_patch_that_does_not_apply_is_refused(operation: object) -> None:
    with pytest.raises(ApiError):
        edited({"a": [1, 2]}, [operation])


def containers(*items: tuple[str, str]) -> dict[str, Any]:
    return {"spec": {"containers": [{"name": name, "image": image} for name, image in items]}}


@pytest.mark.parametrize(
    ("patch", "expected"),
    [
        (containers(("b", "3")), [("a", "1"), ("b", "3")]),
        (containers(("c", "3")), [("a", "1"), ("b", "2"), ("c", "3")]),
        ({"spec": {"containers": [{"name": "a", "$patch": "delete"}]}}, [("b", "2")]),
        ({"spec": {"containers": [{"$patch": "replace"}, {"name": "c", "image": "3"}]}}, [("c", "3")]),
        ({"spec": {"$setElementOrder/containers": [{"name": "b"}, {"name": "a"}]}}, [("b", "2"), ("a", "1")]),
        ({"spec": {"$patch": "replace"} | containers(("c", "3"))["spec"]}, [("c", "3")]),
    ],
)
def test_a_strategic_patch_merges_lists_by_their_key(patch: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    pod = containers(("a", "1"), ("b", "2"))

    result = strategically_merged(pod, patch, POD)

    assert result == containers(*expected)
    assert pod == containers(("a", "1"), ("b", "2"))


def test_a_strategic_patch_adds_to_sets_and_takes_from_them() -> None:
    old = {"metadata": {"finalizers": ["a", "b"]}, "spec": {"x": 1, "y": 2}}
    patch = {
        "metadata": {"finalizers": ["c"], "$deleteFromPrimitiveList/finalizers": ["a"]},
        "spec": {"$retainKeys": ["x"]},
    }

    result = strategically_merged(old, patch, POD)

    assert sorted(result["metadata"]["finalizers"]) == ["b", "c"]
    assert result["spec"] == {"x": 1}


def test_a_strategic_patch_replaces_other_lists() -> None:
    node = next(kind for kind in BUILT_IN if kind.plural == "nodes").schema

    assert strategically_merged({"spec": {"taints": [1, 2]}}, {"spec": {"taints": [3]}}, node) == {
        "spec": {"taints": [3]}
    }
