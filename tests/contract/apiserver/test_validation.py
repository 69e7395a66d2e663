"""Schemas: what is refused, what is dropped, what is filled in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.contract.apiserver.client import WIDGETS, configmap, widget


if TYPE_CHECKING:
    from tests.contract.apiserver.client import Api


@pytest.mark.parametrize(
    ("spec", "causes"),
    [
        ({"node": 5}, {("spec.node", "FieldValueTypeInvalid")}),
        ({"node": "N1"}, {("spec.node", "FieldValueInvalid")}),
        ({"size": "3"}, {("spec.size", "FieldValueTypeInvalid")}),
        ({"size": True}, {("spec.size", "FieldValueTypeInvalid")}),
        ({"size": 0}, {("spec.size", "FieldValueInvalid")}),
        ({"size": 11}, {("spec.size", "FieldValueInvalid")}),
        ({"mode": "other"}, {("spec.mode", "FieldValueNotSupported")}),
        ({"note": "much too long"}, {("spec.note", "FieldValueTooLong")}),
        ({"tags": {"x": 1}}, {("spec.tags.x", "FieldValueTypeInvalid")}),
        ({"tags": ["x"]}, {("spec.tags", "FieldValueTypeInvalid")}),
        ({"list": ["x", 2]}, {("spec.list[1]", "FieldValueTypeInvalid")}),
        ({"list": ["a", "b", "c", "d"]}, {("spec.list", "FieldValueTooMany")}),
        ({"set": ["a", "a"]}, {("spec.set[1]", "FieldValueDuplicate")}),
        ({"when": "yesterday"}, {("spec.when", "FieldValueTypeInvalid")}),
        ({"port": 1.5}, {("spec.port", "FieldValueTypeInvalid")}),
        ({"node": "N", "size": 0}, {("spec.node", "FieldValueInvalid"), ("spec.size", "FieldValueInvalid")}),
    ],
)
async def test_what_the_schema_forbids_is_invalid(api: Api, spec: dict[str, Any], causes: set[tuple[str, str]]) -> None:
    answer = await api.post(WIDGETS, widget("a", spec))

    assert (answer.status, answer["reason"], answer["details"]["kind"]) == (422, "Invalid", "Widget")
    assert answer.causes == causes


async def test_what_is_required_must_be_there(api: Api) -> None:
    without_spec = {k: v for k, v in widget("a").items() if k != "spec"}
    without_node = without_spec | {"spec": {}}

    assert (await api.post(WIDGETS, without_spec)).causes == {("spec", "FieldValueRequired")}
    assert (await api.post(WIDGETS, without_node)).causes == {("spec.node", "FieldValueRequired")}


@pytest.mark.parametrize("port", [80, "http", "80"])
async def test_a_number_or_text_may_be_either(api: Api, port: int | str) -> None:
    assert (await api.post(WIDGETS, widget("a", {"port": port})))["spec"]["port"] == port


async def test_a_whole_number_may_be_written_as_a_float(api: Api) -> None:
    assert (await api.post(WIDGETS, widget("a", {"size": 4.0}))).status == 201


async def test_changes_are_validated_too(api: Api) -> None:
    await api.create_widget("a")

    assert (await api.patch(f"{WIDGETS}/a", {"spec": {"size": 11}})).status == 422
    bad = {"status": {"conditions": [{"type": "Ready"}]}}
    answer = await api.patch(f"{WIDGETS}/a/status", bad)
    assert answer.causes == {("status.conditions[0].status", "FieldValueRequired")}


async def test_two_items_of_a_list_that_is_a_map_differ_in_their_keys(api: Api) -> None:
    await api.create_widget("a")
    ready = {"type": "Ready", "status": "True"}

    answer = await api.patch(f"{WIDGETS}/a/status", {"status": {"conditions": [ready, ready]}})

    assert answer.causes == {("status.conditions[1]", "FieldValueDuplicate")}


async def test_defaults_are_filled_in(api: Api) -> None:
    created = await api.create_widget("a")
    changed = await api.patch(f"{WIDGETS}/a", {"spec": {"size": None}})

    assert created["spec"] == {"node": "n1", "size": 3}
    assert changed.body == created.body


async def test_null_counts_only_where_it_may(api: Api) -> None:
    created = await api.create_widget("a", {"note": None, "mode": None, "size": None, "list": None})

    assert created["spec"] == {"node": "n1", "note": None, "size": 3}


async def test_unknown_fields_are_dropped(api: Api) -> None:
    sent = widget("a", {"unknown": 1, "tags": {"known": "x"}, "anything": {"goes": [1]}}) | {"more": {"unknown": 2}}

    created = await api.post(WIDGETS, sent)

    assert created["spec"] == {"node": "n1", "size": 3, "tags": {"known": "x"}, "anything": {"goes": [1]}}
    assert "more" not in created.body


async def test_unknown_fields_are_warned_about(api: Api) -> None:
    sent = widget("a", {"unknown": 1}) | {"more": {"unknown": 2}}

    told = await api.post(WIDGETS, sent, fieldValidation="Warn", dryRun="All")
    untold = await api.post(WIDGETS, sent, fieldValidation="Ignore", dryRun="All")

    assert set(told.warnings) == {'299 - "unknown field \\"more\\""', '299 - "unknown field \\"spec.unknown\\""'}
    assert untold.warnings == ()


async def test_unknown_fields_are_refused_if_the_client_is_strict(api: Api) -> None:
    await api.create_widget("b")
    created = await api.post(WIDGETS, widget("a", {"unknown": 1}), fieldValidation="Strict")
    changed = await api.patch(f"{WIDGETS}/b", {"spec": {"unknown": 1}}, fieldValidation="Strict")

    for answer in (created, changed):
        assert answer.status in (400, 422)
        assert 'strict decoding error: unknown field "spec.unknown"' in answer["message"]
    assert (await api.get(f"{WIDGETS}/a")).status == 404


async def test_unknown_fields_of_a_config_map_are_refused_too(api: Api) -> None:
    sent = configmap("a") | {"unknown": 1}

    strict = await api.post(api.configmaps, sent, fieldValidation="Strict")
    lenient = await api.post(api.configmaps, sent)

    assert strict.status == 400
    assert 'unknown field "unknown"' in strict["message"]
    assert lenient.status == 201
    assert "unknown" not in lenient.body


async def test_unknown_metadata_is_refused_if_the_client_is_strict(api: Api) -> None:
    answer = await api.post(WIDGETS, widget("a", colour="red"), fieldValidation="Strict")

    assert answer.status == 400
    assert 'unknown field "metadata.colour"' in answer["message"]


async def test_field_validation_has_three_values(api: Api) -> None:
    assert (await api.post(WIDGETS, widget("a"), fieldValidation="Loose")).status in (400, 422)
