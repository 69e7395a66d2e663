"""What a person changes, with the real kubectl, and waits for."""

from __future__ import annotations

import json

from typing import TYPE_CHECKING, Any

import anyio
import yaml

from tests.contract.apiserver.client import GROUP, WIDGETS, widget
from tests.contract.apiserver.kubectl import manifest, words


if TYPE_CHECKING:
    from tests.contract.apiserver.client import Api
    from tests.contract.apiserver.kubectl import Kubectl


async def test_what_create_replace_and_delete_say_is_so(api: Api, kubectl: Kubectl) -> None:
    assert await kubectl("create", "-f", "-", fed=manifest()) == f"widget.{GROUP}/a created\n"
    code, _, complained = await kubectl.tried("create", "-f", "-", fed=manifest())
    assert (code, "AlreadyExists" in complained) == (1, True)

    replaced = await kubectl("replace", "-f", "-", fed=manifest(spec={"size": 7}))
    assert replaced == f"widget.{GROUP}/a replaced\n"
    assert (await api.get(f"{WIDGETS}/a"))["spec"]["size"] == 7

    deleted = await kubectl("delete", "wdg", "a")
    assert deleted.startswith(f'widget.{GROUP} "a" deleted')
    assert (await api.get(f"{WIDGETS}/a")).status == 404
    code, _, complained = await kubectl.tried("delete", "wdg", "a")
    assert (code, "NotFound" in complained) == (1, True)
    await kubectl("delete", "wdg", "a", "--ignore-not-found")


async def test_delete_waits_for_the_finalizers(api: Api, kubectl: Kubectl) -> None:
    await api.create_widget("a", finalizers=["example.com/hold"])
    version = (await api.get(WIDGETS)).version

    async with anyio.create_task_group() as tg, api.watch(WIDGETS, resourceVersion=version) as watched:
        tg.start_soon(kubectl, "delete", "wdg", "a", "--timeout=60s")
        held = await watched.next()
        assert held["object"]["metadata"]["deletionTimestamp"]
        await api.patch(f"{WIDGETS}/a", {"metadata": {"finalizers": None}})

    assert (await api.get(f"{WIDGETS}/a")).status == 404


async def test_delete_takes_selections(api: Api, kubectl: Kubectl) -> None:
    for name, x in (("a", "1"), ("b", "1"), ("c", "2")):
        await api.create_widget(name, labels={"x": x})

    await kubectl("delete", "wdg", "-l", "x=1")
    assert await kubectl("get", "wdg", "-o", "name") == f"widget.{GROUP}/c\n"
    await kubectl("delete", "wdg", "--all")
    assert await kubectl("get", "wdg", "-o", "name") == ""


async def test_unknown_fields_are_refused_by_default(kubectl: Kubectl) -> None:
    for command in (["create"], ["apply"]):
        code, _, complained = await kubectl.tried(*command, "-f", "-", fed=manifest(spec={"unknown": 1}))
        assert code == 1
        assert 'unknown field "spec.unknown"' in complained

    code, said, complained = await kubectl.tried(
        "create", "--validate=warn", "-f", "-", fed=manifest(spec={"unknown": 1})
    )
    assert (code, said) == (0, f"widget.{GROUP}/a created\n")
    assert 'Warning: unknown field "spec.unknown"' in complained


async def test_what_the_schema_forbids_is_explained(kubectl: Kubectl) -> None:
    code, _, complained = await kubectl.tried("create", "-f", "-", fed=manifest(spec={"size": 11}))

    assert code == 1
    assert 'The Widget "a" is invalid' in complained
    assert "spec.size: Invalid value: 11" in complained


async def test_apply_creates_changes_and_removes(api: Api, kubectl: Kubectl) -> None:
    async def apply(**spec: Any) -> str:
        return (await kubectl("apply", "-f", "-", fed=manifest(spec=spec))).strip().removeprefix(f"widget.{GROUP}/a ")

    assert await apply(mode="fast", size=4) == "created"
    assert await apply(mode="fast", size=4) == "unchanged"
    assert await apply(size=5) == "configured"

    assert (await api.get(f"{WIDGETS}/a"))["spec"] == {"node": "n1", "size": 5}


async def test_apply_takes_several_kinds_at_once(api: Api, kubectl: Kubectl) -> None:
    name = {"name": "a", "namespace": api.namespace}
    configmap = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": name, "data": {"x": "1"}}
    lease = {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": name,
        "spec": {"holderIdentity": "me", "leaseDurationSeconds": 30, "renewTime": "2026-01-01T00:00:00.000000Z"},
    }
    together = yaml.safe_dump_all([widget("a"), configmap, lease])

    first = await kubectl("apply", "-f", "-", fed=together)
    configmap["data"] = {"z": "2"}
    second = await kubectl("apply", "-f", "-", fed=yaml.safe_dump_all([configmap]))
    as_list = json.dumps({"apiVersion": "v1", "kind": "List", "items": [widget("a"), lease]})

    assert [line[-1] for line in words(first)] == ["created"] * 3
    assert second == "configmap/a configured\n"
    assert (await api.get(f"{api.configmaps}/a"))["data"] == {"z": "2"}
    assert [line[-1] for line in words(await kubectl("apply", "-f", "-", fed=as_list))] == ["unchanged"] * 2


async def test_who_applies_on_the_server_owns_the_fields_and_no_others(api: Api, kubectl: Kubectl) -> None:
    async def apply(*options: str, **spec: Any) -> tuple[int, str, str]:
        return await kubectl.tried("apply", "--server-side", *options, "-f", "-", fed=manifest(spec=spec))

    assert (await apply(mode="fast", size=4))[1] == f"widget.{GROUP}/a serverside-applied\n"
    await apply(size=4)
    assert (await api.get(f"{WIDGETS}/a"))["spec"] == {"node": "n1", "size": 4}

    await api.patch(f"{WIDGETS}/a", {"spec": {"size": 5}}, fieldManager="somebody")
    code, _, complained = await apply(size=6)
    assert code == 1
    assert 'conflict with "somebody" using ' + f"{GROUP}/v1" in complained
    assert (await apply("--force-conflicts", size=6))[0] == 0
    assert (await api.get(f"{WIDGETS}/a"))["spec"]["size"] == 6


async def test_what_was_applied_on_the_client_can_be_applied_on_the_server(api: Api, kubectl: Kubectl) -> None:
    """Kubectl moves what it managed before to its new name; fields it no longer names go."""
    await kubectl("apply", "-f", "-", fed=manifest(spec={"mode": "fast", "size": 4}))

    await kubectl("apply", "--server-side", "-f", "-", fed=manifest(spec={"size": 4}))

    found = await api.get(f"{WIDGETS}/a")
    assert found["spec"] == {"node": "n1", "size": 4}
    assert {(m["manager"], m["operation"]) for m in found["metadata"]["managedFields"]} == {
        ("kubectl", "Apply"),
        ("kubectl-last-applied", "Apply"),
    }


async def test_diff_shows_what_apply_would_do(api: Api, kubectl: Kubectl) -> None:
    await kubectl("apply", "-f", "-", fed=manifest(spec={"size": 4}))

    same, nothing, _ = await kubectl.tried("diff", "-f", "-", fed=manifest(spec={"size": 4}))
    for options in ([], ["--server-side", "--force-conflicts"]):
        differs, said, _ = await kubectl.tried("diff", *options, "-f", "-", fed=manifest(spec={"size": 5}))
        assert differs == 1
        assert "-  size: 4" in said
        assert "+  size: 5" in said

    assert (same, nothing) == (0, "")
    assert (await api.get(f"{WIDGETS}/a"))["spec"]["size"] == 4


async def test_patch_label_and_annotate_change_nothing_else(api: Api, kubectl: Kubectl) -> None:
    await api.create_widget("a")

    await kubectl("patch", "wdg", "a", "--type=merge", "-p", '{"spec":{"size":5}}')
    await kubectl("patch", "wdg", "a", "--type=json", "-p", '[{"op":"add","path":"/spec/mode","value":"slow"}]')
    await kubectl("patch", "wdg", "a", "--subresource=status", "--type=merge", "-p", '{"status":{"phase":"Fine"}}')
    await kubectl("label", "wdg", "a", "x=1", "y=2")
    await kubectl("label", "wdg", "a", "y-")
    await kubectl("annotate", "wdg", "a", "note=kept")
    unchanged = await kubectl("patch", "wdg", "a", "--type=merge", "-p", '{"spec":{"size":5}}')

    found = await api.get(f"{WIDGETS}/a")
    assert found["spec"] == {"node": "n1", "size": 5, "mode": "slow"}
    assert found["status"] == {"phase": "Fine"}
    assert found["metadata"]["labels"] == {"x": "1"}
    assert found["metadata"]["annotations"] == {"note": "kept"}
    assert unchanged == f"widget.{GROUP}/a patched (no change)\n"
    assert (await kubectl.tried("patch", "wdg", "a", "-p", "{}"))[0] == 1


async def test_edit_writes_what_the_editor_left(api: Api, kubectl: Kubectl) -> None:
    await api.create_widget("a")
    kubectl.environment["EDITOR"] = "sed -i /size:/s/3/8/"

    said = await kubectl("edit", "wdg", "a")

    assert said == f"widget.{GROUP}/a edited\n"
    assert (await api.get(f"{WIDGETS}/a"))["spec"]["size"] == 8


async def test_wait_sees_a_condition_come(api: Api, kubectl: Kubectl) -> None:
    await api.create_widget("a")
    ready = {"type": "Ready", "status": "True"}

    async with anyio.create_task_group() as tg:
        tg.start_soon(kubectl, "wait", "--for=condition=Ready", "wdg/a", "--timeout=60s")
        await api.patch(f"{WIDGETS}/a/status", {"status": {"conditions": [ready]}})
    await kubectl("wait", "--for=jsonpath={.spec.size}=3", "wdg/a", "--timeout=60s")
    code, _, complained = await kubectl.tried("wait", "--for=condition=Other", "wdg/a", "--timeout=1s")

    assert (code, "timed out" in complained) == (1, True)


async def test_wait_sees_an_object_go(api: Api, kubectl: Kubectl) -> None:
    await api.create_widget("a", finalizers=["example.com/hold"])
    await api.delete(f"{WIDGETS}/a")

    async with anyio.create_task_group() as tg:
        tg.start_soon(kubectl, "wait", "--for=delete", "wdg/a", "--timeout=60s")
        await api.patch(f"{WIDGETS}/a", {"metadata": {"finalizers": None}})


async def test_wait_sees_a_definition_in_use(kubectl: Kubectl) -> None:
    said = await kubectl("wait", "--for=condition=Established", f"crd/widgets.{GROUP}", "--timeout=60s")

    assert said.endswith("condition met\n")
