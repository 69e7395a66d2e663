"""Selectors, as text and as questions."""

from __future__ import annotations

import pytest

from hypothesis import given, settings
from hypothesis import strategies as st

from pcidevices.sim.apiserver.builtin import BUILT_IN, EVENT_KIND
from pcidevices.sim.apiserver.errors import ApiError
from pcidevices.sim.apiserver.selectors import field_selector, label_selector


NODE = next(kind for kind in BUILT_IN if kind.plural == "nodes")
WORDS = st.text(alphabet="abc/.-_", min_size=1, max_size=4).filter(lambda text: text not in ("in", "notin"))


def labelled(**labels: str) -> dict[str, object]:
    return {"metadata": {"labels": labels}}


@pytest.mark.parametrize(
    ("text", "matches", "fails"),
    [
        ("a=1", {"a": "1"}, {"a": "2"}),
        ("a==1", {"a": "1"}, {}),
        ("a!=1", {}, {"a": "1"}),
        ("a in (1, 2)", {"a": "2"}, {"a": "3"}),
        ("a notin (1,2)", {}, {"a": "2"}),
        ("a", {"a": ""}, {"b": "1"}),
        ("!a", {"b": "1"}, {"a": ""}),
        (" a = 1 , ! b ", {"a": "1"}, {"a": "1", "b": ""}),
        ("a=", {"a": ""}, {"a": "1"}),
        ("a in ()", {"a": ""}, {"a": "1"}),
        ("example.com/a-b_c in (x),d", {"example.com/a-b_c": "x", "d": ""}, {"example.com/a-b_c": "x"}),
    ],
)
def test_labels_are_asked_for_in_six_ways(text: str, matches: dict[str, str], fails: dict[str, str]) -> None:
    selector = label_selector(text)

    assert selector(labelled(**matches))
    assert not selector(labelled(**fails))


@pytest.mark.parametrize("text", ["=", "a=b=c", "a in", "a in (b", "a in b", "!!a", ",", "a,,b", "a!b", "(a)"])
def test_what_is_no_label_selector_is_refused(text: str) -> None:
    with pytest.raises(ApiError, match="unable to parse"):
        label_selector(text)


@settings(max_examples=40)
@given(st.dictionaries(WORDS, WORDS, max_size=3), WORDS, st.lists(WORDS, min_size=1, max_size=3))
def test_in_and_notin_are_opposites(labels: dict[str, str], key: str, values: list[str]) -> None:
    obj = {"metadata": {"labels": labels}}
    listed = f"({','.join(values)})"

    assert label_selector(f"{key} in {listed}")(obj) is not label_selector(f"{key} notin {listed}")(obj)


def test_nothing_selects_everything() -> None:
    assert label_selector("")({"metadata": {}})
    assert not label_selector("")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("metadata.name=a", True),
        ("metadata.name!=a", False),
        ("spec.unschedulable=true", True),
        ("spec.unschedulable=false,metadata.name=a", False),
    ],
)
def test_fields_are_compared_as_text(text: str, expected: bool) -> None:  # noqa: FBT001 - the example
    assert field_selector(text, NODE)({"metadata": {"name": "a"}, "spec": {"unschedulable": True}}) is expected


@pytest.mark.parametrize("text", ["status.phase=x", "metadata.namespace=x", "involvedObject.uid=x"])
def test_only_fields_that_the_kind_offers_select(text: str) -> None:
    with pytest.raises(ApiError, match="field label not supported"):
        field_selector(text, NODE)


def test_events_offer_what_they_are_about() -> None:
    event = {"metadata": {"name": "e"}, "involvedObject": {"uid": "u"}}

    assert field_selector("involvedObject.uid=u,involvedObject.fieldPath=", EVENT_KIND)(event)
