"""The smallest patch that turns one object into another."""

from __future__ import annotations

from typing import Any

import pytest

from hypothesis import given
from hypothesis import strategies as st

from pcidevices.domain.mergepatch import merge_patch


Json = dict[str, Any]
_KEYS = st.sampled_from(("a", "b", "c", ""))
_SCALARS = st.booleans() | st.integers(2, 4) | st.sampled_from(("", "x"))
_VALUES = st.recursive(
    _SCALARS, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(_KEYS, inner, max_size=3), max_leaves=4
)
OBJECTS = st.dictionaries(_KEYS, _VALUES, max_size=4)


def merged(target: Any, patch: Any) -> Any:
    """MergePatch of RFC 7386, section 2, word by word."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merged(result.get(name), value)
    return result


@given(OBJECTS, OBJECTS)
def test_the_patch_turns_the_old_into_the_new(old: Json, new: Json) -> None:
    assert merged(old, merge_patch(old, new)) == new


@given(OBJECTS, OBJECTS)
def test_the_patch_is_empty_exactly_when_nothing_differs(old: Json, new: Json) -> None:
    assert (merge_patch(old, new) == {}) == (old == new)


@pytest.mark.parametrize(
    ("old", "new", "patch"),
    [
        pytest.param({"a": 1}, {"a": 1, "b": 2}, {"b": 2}, id="added"),
        pytest.param({"a": 1, "b": 2}, {"a": 1}, {"b": None}, id="removed"),
        pytest.param({"a": {"b": 1, "c": 2}}, {"a": {"b": 1, "c": 3}}, {"a": {"c": 3}}, id="inside"),
        pytest.param({"a": [1, 2]}, {"a": [1]}, {"a": [1]}, id="lists as a whole"),
        pytest.param({"a": {"b": 1}}, {"a": {}}, {"a": {"b": None}}, id="emptied"),
        pytest.param({"a": 1}, {"a": {}}, {"a": {}}, id="to an empty object"),
        pytest.param({}, {"a": {}}, {"a": {}}, id="an empty object added"),
    ],
)
def test_the_patch_has_nothing_that_is_not_needed(old: Json, new: Json, patch: Json) -> None:
    assert merge_patch(old, new) == patch
