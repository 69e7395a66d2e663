"""The real kubectl carries every request; here a script stands in for it, to say what a real one rarely says."""

from __future__ import annotations

import json
import os
import subprocess
import sys

from pathlib import Path

import msgspec
import pytest

from pcidevices.errors import KubectlFailed, KubectlMissing
from pcidevices.kubectl.following import turns
from pcidevices.kubectl.objects import Device, claims, devices
from pcidevices.kubectl.transport import Kubectl


class Script:
    """A program in place of kubectl, and what it was asked."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.kubectl = Kubectl(("--context=here",), program=str(folder / "kubectl"))

    def does(self, body: str) -> None:
        path = self._folder / "kubectl"
        lines = ["import json, os, sys, time", f"LOG = {str(self._folder / 'log')!r}"]
        lines += ["open(LOG, 'a').write(json.dumps(sys.argv[1:]) + '\\n')", body]
        path.write_text(f"#!{sys.executable}\n" + "\n".join(lines) + "\n")
        path.chmod(0o755)

    @property
    def asked(self) -> list[list[str]]:
        return [json.loads(line) for line in (self._folder / "log").read_text().splitlines()]


@pytest.fixture
def script(tmp_path: Path) -> Script:
    return Script(tmp_path)


def an_item(number: int, **status: object) -> dict[str, object]:
    return {"metadata": {"name": f"d{number}"}, "status": {"address": "0000:01:00.0", "nodeName": "janus", **status}}


def test_flags_of_kubectl_are_passed_on_as_they_were_given(script: Script) -> None:
    script.does("print('{}')")
    script.kubectl.raw("/x", {"a": "b c"})
    script.kubectl.delete("/x/y", query={"dryRun": "All"})
    script.kubectl.merge_patch("pcidevices", "x", {"a": None})

    assert script.asked == [
        ["get", "--raw", "/x?a=b+c", "--context=here"],
        ["delete", "--raw", "/x/y?dryRun=All", "--context=here"],
        ["patch", "pcidevices", "x", "--type=merge", '--patch={"a":null}', "--output=json", "--context=here"],
    ]


def test_what_is_created_goes_through_stdin(script: Script) -> None:
    script.does("sys.stdout.write(sys.stdin.read())")

    assert json.loads(script.kubectl.create("/x", {"kind": "Widget"})) == {"kind": "Widget"}


def test_a_failure_has_kubectls_words_and_the_servers_reason(script: Script) -> None:
    script.does("print('Error from server (Forbidden): no, you cannot', file=sys.stderr); sys.exit(1)")

    with pytest.raises(KubectlFailed) as error:
        script.kubectl.raw("/x")
    assert (str(error.value), error.value.word, error.value.status) == (
        "Error from server (Forbidden): no, you cannot",
        "Forbidden",
        1,
    )


def test_a_kubectl_that_says_nothing_is_told_of_all_the_same(script: Script) -> None:
    script.does("sys.exit(7)")

    with pytest.raises(KubectlFailed, match="ended with status 7 and said nothing"):
        script.kubectl.raw("/x")


def test_no_kubectl_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(KubectlMissing, match=r"No such file or directory.*PATH") as error:
        Kubectl(program=str(tmp_path / "kubectl")).raw("/x")
    assert "\n" not in str(error.value)


def test_warnings_of_the_server_are_shown(script: Script, capfd: pytest.CaptureFixture[str]) -> None:
    script.does("print('Warning: soon gone', file=sys.stderr); print('{}')")
    script.kubectl.raw("/x")

    assert capfd.readouterr().err == "Warning: soon gone\n"


def test_a_list_is_read_page_by_page(script: Script) -> None:
    pages = {
        "first": {"items": [an_item(1)], "metadata": {"continue": "more"}},
        "last": {"items": [an_item(2)], "metadata": {"resourceVersion": "9"}},
    }
    script.does(f"print(json.dumps({pages!r}['last' if 'continue=more' in sys.argv[3] else 'first']))")

    assert [device.name for device in devices(script.kubectl)] == ["d1", "d2"]


def test_a_status_that_fits_no_type_does_not_hide_the_others(script: Script) -> None:
    items = [an_item(1, numaNode="zero"), an_item(2)]
    script.does(f"print(json.dumps({{'items': {items!r}, 'metadata': {{}}}}))")

    assert [(device.name, device.status.node_name) for device in devices(script.kubectl)] == [
        ("d1", ""),
        ("d2", "janus"),
    ]


def test_a_claim_without_a_sensible_spec_is_left_out(script: Script) -> None:
    items = [{"metadata": {"name": "c"}, "spec": {"address": 5}}]
    script.does(f"print(json.dumps({{'items': {items!r}, 'metadata': {{}}}}))")

    assert list(claims(script.kubectl)) == []


def test_a_watch_yields_whole_events_however_they_are_cut(script: Script) -> None:
    """Longer than a pipe, in pieces, with an empty line between."""
    event = {"type": "ADDED", "object": {"metadata": {"name": "x" * 200_000}}}
    script.does(
        f"line = json.dumps({event!r})\n"
        "for part in (line[:70000], line[70000:] + '\\n\\n', line + '\\n'):\n"
        "    sys.stdout.write(part); sys.stdout.flush()"
    )

    with script.kubectl.watch("/x") as events:
        sizes = [len(msgspec.json.decode(event.object, type=Device).name) for event in events]
    assert sizes == [200_000, 200_000]


def test_a_watch_ends_with_its_time_and_kubectl_with_it(script: Script) -> None:
    script.does("print(json.dumps({'type': 'ADDED', 'object': {'pid': os.getpid()}}), flush=True); time.sleep(600)")

    with script.kubectl.watch("/x", timeout=30) as events:
        pid = msgspec.json.decode(next(events).object)["pid"]
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    with script.kubectl.watch("/x", timeout=0.01) as events:
        assert list(events) == []


def test_a_watch_that_fails_says_why(script: Script) -> None:
    script.does("print('Error from server (Forbidden): no', file=sys.stderr); sys.exit(1)")

    with pytest.raises(KubectlFailed, match="Forbidden"), script.kubectl.watch("/x") as events:
        list(events)


def test_claims_are_listed_anew_when_the_watch_has_expired(script: Script) -> None:
    """What is told may be told twice; nothing is missed."""
    item = {"metadata": {"name": "c"}, "spec": {"address": "0000:01:00.0", "nodeName": "janus"}}
    expired = {"type": "ERROR", "object": {"kind": "Status", "code": 410}}
    script.does(
        f"lists = sum('watch=1' not in line for line in open(LOG))\n"
        f"if 'watch=1' in sys.argv[3]: print(json.dumps({expired!r}))\n"
        f"else: print(json.dumps({{'items': [{item!r}] if lists == 1 else [], 'metadata': {{}}}}))"
    )
    following = turns(script.kubectl, ["c"], timeout=60)

    assert [(turn.name, turn.claim is None) for turn in (next(following), next(following))] == [
        ("c", False),
        ("c", True),
    ]


def test_a_plug_in_waits_for_no_library_that_it_does_not_need() -> None:
    """Help comes at once; aiohttp, anyio and structlog are the agent's."""
    imported = ", ".join(f"pcidevices.kubectl.{name}" for name in ("claim", "listing", "completion"))
    program = f"import sys, {imported}; print(*sys.modules)"
    loaded = subprocess.check_output([sys.executable, "-c", program], text=True).split()

    assert not {"aiohttp", "anyio", "asyncio", "kubernetes_asyncio", "structlog", "yaml"} & set(loaded)
