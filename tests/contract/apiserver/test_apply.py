"""Server-side apply, and who manages what."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.contract.apiserver.client import GROUP, WIDGETS


if TYPE_CHECKING:
    from tests.contract.apiserver.client import Answer, Api


PATH = f"{WIDGETS}/a"
READY = {"type": "Ready", "status": "True"}


def config(spec: dict[str, Any] | None = None, **metadata: Any) -> dict[str, Any]:
    found: dict[str, Any] = {"apiVersion": f"{GROUP}/v1", "kind": "Widget", "metadata": {"name": "a", **metadata}}
    return found if spec is None else found | {"spec": spec}


def status(*conditions: dict[str, str]) -> dict[str, Any]:
    return config() | {"status": {"conditions": list(conditions)}}


def managers(answer: Answer) -> dict[tuple[str, str, str], Any]:
    """The fields of each manager, by name, operation and subresource."""
    return {
        (entry["manager"], entry["operation"], entry.get("subresource", "")): entry["fieldsV1"]
        for entry in answer["metadata"]["managedFields"]
    }


async def test_applying_creates_and_then_changes(api: Api) -> None:
    created = await api.apply(PATH, config({"node": "n1"}), "one")
    changed = await api.apply(PATH, config({"node": "n2"}), "one")
    again = await api.apply(PATH, config({"node": "n2"}), "one")

    assert (created.status, changed.status) == (201, 200)
    assert managers(created) == {("one", "Apply", ""): {"f:spec": {"f:node": {}}}}
    assert changed["spec"] == {"node": "n2", "size": 3}
    assert again.body == changed.body


async def test_who_applies_has_a_name(api: Api) -> None:
    answer = await api.patch(PATH, config({"node": "n1"}), "application/apply-patch+yaml")

    assert (answer.status, answer.causes) == (422, {("fieldManager", "FieldValueRequired")})


async def test_what_is_applied_no_more_goes(api: Api) -> None:
    await api.apply(PATH, config({"node": "n1", "mode": "fast", "tags": {"x": "1", "y": "2"}}), "one")

    answer = await api.apply(PATH, config({"node": "n1", "tags": {"y": "2"}}), "one")

    assert answer["spec"] == {"node": "n1", "size": 3, "tags": {"y": "2"}}


async def test_what_somebody_else_wants_too_stays(api: Api) -> None:
    await api.apply(PATH, config({"node": "n1", "mode": "fast"}), "one")
    await api.apply(PATH, config({"node": "n1", "mode": "fast"}), "two")

    answer = await api.apply(PATH, config({"node": "n1"}), "one")

    assert answer["spec"]["mode"] == "fast"
    assert managers(answer)["two", "Apply", ""] == {"f:spec": {"f:mode": {}, "f:node": {}}}


async def test_a_field_of_another_manager_is_a_conflict(api: Api) -> None:
    await api.apply(PATH, config({"node": "n1", "size": 4}), "one")

    answer = await api.apply(PATH, config({"node": "n2", "size": 4}), "two")

    assert (answer.status, answer["reason"]) == (409, "Conflict")
    assert answer.causes == {(".spec.node", "FieldManagerConflict")}
    assert answer["message"] == 'Apply failed with 1 conflict: conflict with "one": .spec.node'


async def test_force_takes_the_field(api: Api) -> None:
    await api.apply(PATH, config({"node": "n1", "size": 4}), "one")

    answer = await api.apply(PATH, config({"node": "n2"}), "two", force="true")

    assert answer["spec"] == {"node": "n2", "size": 4}
    assert managers(answer) == {
        ("one", "Apply", ""): {"f:spec": {"f:size": {}}},
        ("two", "Apply", ""): {"f:spec": {"f:node": {}}},
    }


async def test_an_ordinary_write_takes_what_it_changes(api: Api) -> None:
    await api.apply(PATH, config({"node": "n1", "mode": "fast"}), "one")

    changed = await api.patch(PATH, {"spec": {"mode": "slow"}}, fieldManager="two")
    refused = await api.apply(PATH, config({"node": "n1", "mode": "fast"}), "one")

    assert managers(changed) == {
        ("one", "Apply", ""): {"f:spec": {"f:node": {}}},
        ("two", "Update", ""): {"f:spec": {"f:mode": {}}},
    }
    assert refused.causes == {(".spec.mode", "FieldManagerConflict")}


async def test_a_created_object_is_its_creators(api: Api) -> None:
    """The name of a client that names no manager is the first word of its user agent."""
    created = await api.create_widget("a", {"tags": {"x": "1"}}, labels={"l": "1"}, finalizers=["example.com/hold"])

    assert managers(created) == {
        ("contract", "Update", ""): {
            "f:metadata": {
                "f:finalizers": {".": {}, 'v:"example.com/hold"': {}},
                "f:labels": {".": {}, "f:l": {}},
            },
            "f:spec": {".": {}, "f:node": {}, "f:size": {}, "f:tags": {".": {}, "f:x": {}}},
        }
    }


async def test_a_removed_field_is_nobodys(api: Api) -> None:
    await api.create_widget("a", {"mode": "fast"})

    answer = await api.patch(PATH, {"spec": {"mode": None}}, fieldManager="two")

    assert "f:mode" not in managers(answer)["contract", "Update", ""]["f:spec"]


async def test_the_status_is_managed_apart(api: Api) -> None:
    await api.apply(PATH, config({"node": "n1"}), "one")

    applied = await api.apply(f"{PATH}/status", status(READY), "one")
    patched = await api.patch(f"{PATH}/status", {"status": {"phase": "Fine"}}, fieldManager="two")

    assert applied["status"] == {"conditions": [READY]}
    assert managers(patched) == {
        ("one", "Apply", ""): {"f:spec": {"f:node": {}}},
        ("one", "Apply", "status"): {
            "f:status": {"f:conditions": {'k:{"type":"Ready"}': {".": {}, "f:status": {}, "f:type": {}}}}
        },
        ("two", "Update", "status"): {"f:status": {"f:phase": {}}},
    }


async def test_the_main_path_applies_no_status(api: Api) -> None:
    answer = await api.apply(PATH, config({"node": "n1"}) | {"status": {"phase": "Fine"}}, "one")

    assert "status" not in answer.body
    assert managers(answer) == {("one", "Apply", ""): {"f:spec": {"f:node": {}}}}


async def test_items_of_a_list_that_is_a_map_have_their_own_managers(api: Api) -> None:
    await api.create_widget("a")
    other = {"type": "Other", "status": "False"}
    await api.apply(f"{PATH}/status", status(READY), "one")

    both = await api.apply(f"{PATH}/status", status(other), "two")
    changed = await api.apply(f"{PATH}/status", status(READY | {"status": "False"}), "two")
    less = await api.apply(f"{PATH}/status", status(), "two")

    assert both["status"]["conditions"] == [READY, other]
    assert changed.causes == {('.status.conditions[type="Ready"].status', "FieldManagerConflict")}
    assert less["status"]["conditions"] == [READY]


async def test_items_of_a_set_are_added_and_withdrawn(api: Api) -> None:
    await api.apply(PATH, config({"node": "n1", "set": ["a", "b"]}), "one")

    more = await api.apply(PATH, config({"set": ["c"]}), "two")
    less = await api.apply(PATH, config({"node": "n1", "set": ["a"]}), "one")

    assert more["spec"]["set"] == ["a", "b", "c"]
    assert less["spec"]["set"] == ["a", "c"]


async def test_other_lists_are_one_value(api: Api) -> None:
    await api.apply(PATH, config({"node": "n1", "list": ["a", "b"]}), "one")

    refused = await api.apply(PATH, config({"list": ["c"]}), "two")
    forced = await api.apply(PATH, config({"list": ["c"]}), "two", force="true")

    assert refused.causes == {(".spec.list", "FieldManagerConflict")}
    assert forced["spec"]["list"] == ["c"]


async def test_applied_labels_and_finalizers_are_added_to_others(api: Api) -> None:
    await api.create_widget("a", labels={"x": "1"}, finalizers=["example.com/hold"])

    answer = await api.apply(PATH, config(labels={"y": "2"}, finalizers=["example.com/other"]), "one")
    less = await api.apply(PATH, config(), "one")

    assert answer["metadata"]["labels"] == {"x": "1", "y": "2"}
    assert answer["metadata"]["finalizers"] == ["example.com/hold", "example.com/other"]
    assert less["metadata"]["labels"] == {"x": "1"}
    assert less["metadata"]["finalizers"] == ["example.com/hold"]


async def test_what_the_schema_does_not_know_cannot_be_applied(api: Api) -> None:
    """Not a warning, whatever `fieldValidation` says; a cluster answers 500."""
    answer = await api.apply(PATH, config({"node": "n1", "unknown": 1}), "one")

    assert answer.status == 500
    assert ".spec.unknown: field not declared in schema" in answer["message"]


async def test_what_is_applied_is_validated(api: Api) -> None:
    assert (await api.apply(PATH, config({"node": "N"}), "one")).status == 422
    assert (await api.apply(PATH, config({"size": 4}), "one")).status == 422


async def test_an_applied_version_is_a_precondition(api: Api) -> None:
    created = await api.create_widget("a")
    await api.patch(PATH, {"spec": {"size": 4}})

    assert (await api.apply(PATH, config({"mode": "fast"}, resourceVersion=created.version), "one")).status == 409
    assert (await api.apply(f"{PATH}b", config({"node": "n1"}) | {"metadata": {"name": "b"}}, "one")).status == 400


async def test_a_dry_apply_keeps_nothing(api: Api) -> None:
    answer = await api.apply(PATH, config({"node": "n1"}), "one", dryRun="All")

    assert answer.status == 201
    assert (await api.get(PATH)).status == 404


async def test_managed_fields_can_be_dropped(api: Api) -> None:
    await api.create_widget("a")

    dropped = await api.patch(PATH, {"metadata": {"managedFields": [{}]}})

    assert "managedFields" not in dropped["metadata"]


async def test_a_node_is_applied_too(api: Api) -> None:
    name = f"node-{api.namespace}"
    node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": {"x": "1"}}}
    path = f"/api/v1/nodes/{name}"

    created = await api.apply(path, node, "one")
    reported = await api.apply(f"{path}/status", node | {"status": {"conditions": [READY]}}, "two")

    assert created.status == 201
    assert reported["status"]["conditions"][0]["type"] == "Ready"
    assert ("two", "Apply", "status") in managers(reported)
    await api.delete(path)
