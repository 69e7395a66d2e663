"""The JSONPath of printer columns."""

from __future__ import annotations

from typing import Any

import pytest

from pcidevices.sim.apiserver.jsonpath import compiled, first, found_by


OBJ: dict[str, Any] = {
    "spec": {"size": 3, "dotted.name": "x", "list": [1, 2, 3], "empty": []},
    "status": {
        "conditions": [
            {"type": "Ready", "status": "True", "age": 5},
            {"type": "Bound", "status": "False", "age": 9},
        ]
    },
}


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (".spec.size", [3]),
        ("{.spec.size}", [3]),
        ("$.spec.size", [3]),
        (".spec['size']", [3]),
        ('.spec["dotted.name"]', ["x"]),
        (".spec.dotted\\.name", ["x"]),
        (".spec.list", [[1, 2, 3]]),
        (".spec.list[0]", [1]),
        (".spec.list[-1]", [3]),
        (".spec.list[9]", []),
        (".spec.list[*]", [1, 2, 3]),
        (".spec.nothing.deeper", []),
        (".spec.size.deeper", []),
        ('.status.conditions[?(@.type=="Ready")].status', ["True"]),
        (".status.conditions[?(@.type=='Bound')].status", ["False"]),
        ('.status.conditions[?(@.type == "Ready")].status', ["True"]),
        ('.status.conditions[?(@.type!="Ready")].type', ["Bound"]),
        (".status.conditions[?(@.age>5)].type", ["Bound"]),
        (".status.conditions[?(@.age<=5)].type", ["Ready"]),
        (".status.conditions[?(@.reason)].type", []),
        (".status.conditions[*].type", ["Ready", "Bound"]),
        (".status.conditions[?(@.age<'x')].type", []),
        (".", [OBJ]),
    ],
)
def test_a_path_finds_what_it_names(path: str, expected: list[object]) -> None:
    assert found_by(path, OBJ) == expected


def test_a_cell_shows_the_first_or_nothing() -> None:
    assert first(".status.conditions[*].type", OBJ) == "Ready"
    assert first(".status.phase", OBJ) is None


@pytest.mark.parametrize("path", [".a[", ".a[?(b)]", "..a", ".a b", "[x]"])
def test_what_is_no_path_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match="not a JSONPath"):
        compiled(path)
