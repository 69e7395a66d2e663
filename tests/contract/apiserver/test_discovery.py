"""What kinds there are, how they are found, and what their fields are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.contract.apiserver.client import GROUP, TABLE, WIDGETS, configmap, widget


if TYPE_CHECKING:
    from tests.contract.apiserver.client import Api


AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
KINDS: dict[str, dict[str, tuple[str, bool, list[str] | None]]] = {
    "/api/v1": {
        "configmaps": ("ConfigMap", True, ["cm"]),
        "events": ("Event", True, ["ev"]),
        "namespaces": ("Namespace", False, ["ns"]),
        "nodes": ("Node", False, ["no"]),
        "pods": ("Pod", True, ["po"]),
        "services": ("Service", True, ["svc"]),
    },
    "/apis/coordination.k8s.io/v1": {"leases": ("Lease", True, None)},
    "/apis/events.k8s.io/v1": {"events": ("Event", True, ["ev"])},
    "/apis/apiextensions.k8s.io/v1": {
        "customresourcedefinitions": ("CustomResourceDefinition", False, ["crd", "crds"])
    },
    f"/apis/{GROUP}/v1": {"widgets": ("Widget", False, ["wdg"])},
}
VERBS = {"create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"}


async def test_the_server_is_well_and_has_a_version(api: Api) -> None:
    assert (await api.get("/version"))["major"] == "1"
    for path in ("/healthz", "/readyz", "/livez"):
        assert (await api.get(path)).body == b"ok"


async def test_kinds_are_listed_with_their_names(api: Api) -> None:
    for path, kinds in KINDS.items():
        listed = await api.get(path)
        assert (listed["kind"], listed["groupVersion"]) == ("APIResourceList", path.split("/", 2)[2])
        found = {resource["name"]: resource for resource in listed["resources"]}

        for plural, (kind, namespaced, short_names) in kinds.items():
            resource = found[plural]
            assert (resource["kind"], resource["namespaced"], resource.get("shortNames")) == (
                kind,
                namespaced,
                short_names,
            )
            assert resource["singularName"] == kind.lower()
            assert set(resource["verbs"]) == VERBS - ({"deletecollection"} if plural == "namespaces" else set())


async def test_a_subresource_has_no_names_of_its_own(api: Api) -> None:
    """With names it would make each command warn of an ambiguous one."""
    listed = await api.get(f"/apis/{GROUP}/v1")

    status = next(r for r in listed["resources"] if r["name"] == "widgets/status")
    assert status["singularName"] == ""
    assert "shortNames" not in status
    assert set(status["verbs"]) == {"get", "patch", "update"}


async def test_groups_name_their_versions(api: Api) -> None:
    groups = await api.get("/apis")
    group = await api.get(f"/apis/{GROUP}")

    listed = next(found for found in groups["groups"] if found["name"] == GROUP)
    version = {"groupVersion": f"{GROUP}/v1", "version": "v1"}
    assert listed["versions"] == group["versions"] == [version]
    assert group["preferredVersion"] == version
    assert (await api.get("/api"))["versions"] == ["v1"]


async def test_aggregated_discovery_says_that_it_is(api: Api) -> None:
    """Under a plain content type it would make every kind vanish."""
    answer = await api.get("/apis", accept=f"{AGGREGATED},application/json")

    assert answer.content_type == AGGREGATED
    group = next(item for item in answer["items"] if item["metadata"]["name"] == GROUP)
    resource = group["versions"][0]["resources"][0]
    assert (resource["resource"], resource["scope"], resource["shortNames"]) == ("widgets", "Cluster", ["wdg"])
    assert resource["singularResource"] == "widget"
    assert resource["responseKind"]["kind"] == "Widget"
    assert resource["categories"] == ["gadgets"]
    assert [sub["subresource"] for sub in resource["subresources"]] == ["status"]


async def test_everything_is_allowed_to_the_administrator(api: Api) -> None:
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": {"verb": "get", "resource": "pods"}},
    }
    answer = await api.post("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", review)

    assert (answer.status, answer["status"]["allowed"]) == (201, True)


async def test_everyone_is_told_who_they_are(api: Api) -> None:
    review = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
    answer = await api.post("/apis/authentication.k8s.io/v1/selfsubjectreviews", review)

    assert (answer.status, answer["status"]["userInfo"]["username"]) == (201, "admin")


async def test_openapi_tells_kubectl_that_the_server_validates(api: Api) -> None:
    """A PATCH operation per kind, with its group, version and kind, and a parameter `fieldValidation`."""
    index = await api.get("/openapi/v3")

    for path, group, kind in (("api/v1", "", "Pod"), (f"apis/{GROUP}/v1", GROUP, "Widget")):
        url = index["paths"][path]["serverRelativeURL"]
        assert "hash=" in url
        address, _, query = url.partition("?hash=")
        document = await api.get(address, hash=query)
        patches = [operations["patch"] for operations in document["paths"].values() if "patch" in operations]
        named = {"group": group, "version": "v1", "kind": kind}
        mine = next(patch for patch in patches if patch["x-kubernetes-group-version-kind"] == named)
        assert "fieldValidation" in {parameter["name"] for parameter in mine["parameters"]}


async def test_openapi_holds_the_schema(api: Api) -> None:
    document = await api.get(f"/openapi/v3/apis/{GROUP}/v1")

    named: dict[str, Any] = {"group": GROUP, "version": "v1", "kind": "Widget"}
    schemas = document["components"]["schemas"].values()
    schema = next(s for s in schemas if named in s.get("x-kubernetes-group-version-kind", []))
    assert schema["description"] == "A widget does nothing."
    assert schema["properties"]["spec"]["properties"]["node"]["description"] == "Where the widget is."
    assert set(schema["properties"]) >= {"apiVersion", "kind", "metadata", "spec", "status"}


async def test_a_table_has_the_columns_of_the_definition(api: Api) -> None:
    await api.create_widget("a")
    seen = {"seen": "2001-01-01T00:00:00Z", "conditions": [{"type": "Ready", "status": "True"}]}
    await api.patch(f"{WIDGETS}/a/status", {"status": seen})
    await api.create_widget("b", {"size": 5})

    table = await api.get(WIDGETS, accept=TABLE)

    columns = [(c["name"], c["type"], c["priority"]) for c in table["columnDefinitions"]]
    assert (table["kind"], table["apiVersion"]) == ("Table", "meta.k8s.io/v1")
    assert columns == [
        ("Name", "string", 0),
        ("Node", "string", 0),
        ("Ready", "string", 0),
        ("Seen", "date", 0),
        ("Size", "integer", 1),
        ("Age", "date", 0),
    ]
    first, second = (row["cells"] for row in table["rows"])
    assert first[:5] == ["a", "n1", "True", first[3], 3]
    assert first[3].endswith(("y", "d"))
    assert second[:5] == ["b", "n1", None, None, 5]
    assert second[5].endswith("s")


async def test_a_table_of_one_object_has_one_row(api: Api) -> None:
    created = await api.create_widget("a")

    table = await api.get(f"{WIDGETS}/a", accept=TABLE)

    assert [row["cells"][0] for row in table["rows"]] == ["a"]
    assert table.version == created.version


async def test_rows_hold_as_much_of_the_object_as_is_wanted(api: Api) -> None:
    created = await api.create_widget("a", labels={"x": "1"})

    rows = {
        include: (await api.get(WIDGETS, accept=TABLE, **({"includeObject": include} if include else {})))["rows"][0]
        for include in ("", "Metadata", "Object", "None")
    }

    assert rows[""] == rows["Metadata"]
    assert rows[""]["object"]["kind"] == "PartialObjectMetadata"
    assert rows[""]["object"]["metadata"]["labels"] == {"x": "1"}
    assert "spec" not in rows[""]["object"]
    assert rows["Object"]["object"] == created.body
    assert not rows["None"].get("object")


async def test_tables_come_in_pages_too(api: Api) -> None:
    await api.create_widget("a")
    await api.create_widget("b")

    table = await api.get(WIDGETS, accept=TABLE, limit="1")

    assert len(table["rows"]) == 1
    assert table["metadata"]["continue"]


async def test_built_in_kinds_have_the_columns_that_people_know(api: Api) -> None:
    await api.post(api.configmaps, configmap("a", x="1", y="2"))
    expected = {
        "nodes": ["Name", "Status", "Roles", "Age", "Version"],
        "pods": ["Name", "Ready", "Status", "Restarts", "Age"],
        "namespaces": ["Name", "Status", "Age"],
        "events": ["Last Seen", "Type", "Reason", "Object", "Message"],
        "services": ["Name", "Type", "Cluster-IP", "External-IP", "Port(s)", "Age"],
        "configmaps": ["Name", "Data", "Age"],
    }

    for plural, columns in expected.items():
        table = await api.get(f"/api/v1/{plural}", accept=TABLE)
        assert [c["name"] for c in table["columnDefinitions"] if not c["priority"]] == columns
    table = await api.get(f"{api.configmaps}/a", accept=TABLE)
    assert [str(cell) for cell in table["rows"][0]["cells"][:2]] == ["a", "2"]


async def test_a_bookmark_of_a_watch_of_tables_is_a_table(api: Api) -> None:
    query = {"sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan", "allowWatchBookmarks": "true"}
    async with api.watch(WIDGETS, accept=TABLE, **query) as watched:
        event = await watched.next()

    assert (event["type"], event["object"]["kind"]) == ("BOOKMARK", "Table")
    meta = event["object"]["rows"][0]["object"]["metadata"]
    assert meta["annotations"] == {"k8s.io/initial-events-end": "true"}
    assert event["object"]["metadata"]["resourceVersion"] == meta["resourceVersion"]


async def test_who_accepts_tables_last_gets_objects(api: Api) -> None:
    await api.post(WIDGETS, widget("a"))

    assert (await api.get(WIDGETS, accept="application/json"))["kind"] == "WidgetList"
