"""The real kubectl carries every request; here a script stands in for it, to say what a real one rarely says."""

from __future__ import annotations

import io
import json
import os
import pty
import signal
import subprocess
import sys
import threading

from concurrent.futures import ThreadPoolExecutor
from contextlib import redirect_stderr
from pathlib import Path

import msgspec
import pytest

from pcidevices.errors import KubectlFailed, KubectlMissing
from pcidevices.kubectl.following import turns
from pcidevices.kubectl.objects import Device, claims, devices
from pcidevices.kubectl.transport import Kubectl
from tests.support.nolists import NO_LISTS


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
    def left(self) -> Path:
        """Where a script writes the id of what it leaves behind."""
        return self._folder / "log.left"

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


class Heard(io.StringIO):
    """A person before the terminal, who sees each word as it comes."""

    def __init__(self) -> None:
        super().__init__()
        self._turned = threading.Condition()

    def write(self, text: str) -> int:
        with self._turned:
            self._turned.notify_all()
            return super().write(text)

    def wait_for(self, text: str) -> None:
        with self._turned:
            assert self._turned.wait_for(lambda: text in self.getvalue(), timeout=60)


SIGN_ON = (
    "print('open https://sso, enter the code ABCD: ', end='', file=sys.stderr, flush=True); open(sys.argv[-1]).read()\n"
)


@pytest.mark.parametrize(
    ("end", "status"),
    [
        ("print('{}')", 0),
        ("print('Error from server (Forbidden): no', file=sys.stderr); sys.exit(1)", 1),
    ],
)
def test_what_asks_a_person_to_sign_on_is_shown_at_once_and_once(tmp_path: Path, end: str, status: int) -> None:
    """It waits until they did; a failure after that is told in our form, without it."""
    script, heard = Script(tmp_path), Heard()
    os.mkfifo(tmp_path / "signed-on")
    kubectl = Kubectl((str(tmp_path / "signed-on"),), program=script.kubectl.program)
    script.does(SIGN_ON + end)
    with redirect_stderr(heard), ThreadPoolExecutor() as pool:
        answer = pool.submit(kubectl.raw, "/x")
        heard.wait_for("enter the code ABCD: ")
        (tmp_path / "signed-on").write_text("")

    assert heard.getvalue() == "open https://sso, enter the code ABCD: "
    failure = answer.exception()
    assert (failure is not None) == bool(status)
    if isinstance(failure, KubectlFailed):
        assert failure.lines == ("Error from server (Forbidden): no",)


NO_BROWSER = "error: could not open the browser: no display\n\nPlease visit https://sso and sign on\n"


@pytest.mark.parametrize(
    ("end", "told"),
    [
        ("print('{}')", ()),
        (
            "print('Unable to connect to the server: no token', file=sys.stderr); sys.exit(1)",
            ("Unable to connect to the server: no token",),
        ),
    ],
)
def test_what_begins_like_a_failure_and_asks_a_person_to_sign_on_is_shown(
    tmp_path: Path, end: str, told: tuple[str, ...]
) -> None:
    """A credential plug-in that finds no browser complains, and waits; what fails after that is told without it."""
    script, heard = Script(tmp_path), Heard()
    os.mkfifo(tmp_path / "signed-on")
    kubectl = Kubectl((str(tmp_path / "signed-on"),), program=script.kubectl.program)
    script.does(f"print({NO_BROWSER!r}, end='', file=sys.stderr, flush=True); open(sys.argv[-1]).read()\n{end}")
    with redirect_stderr(heard), ThreadPoolExecutor() as pool:
        answer = pool.submit(kubectl.raw, "/x")
        try:
            heard.wait_for("sign on")
        finally:
            (tmp_path / "signed-on").write_text("")

    assert heard.getvalue() == NO_BROWSER
    failure = answer.exception()
    assert (failure.lines if isinstance(failure, KubectlFailed) else ()) == told


def test_a_failure_is_told_once_although_somebody_keeps_the_pipe(script: Script) -> None:
    """Its words are kubectl's last, however long what it left behind goes on."""
    heard = Heard()
    script.does(
        "import subprocess\n"
        "print('error: no', file=sys.stderr, flush=True)\n"
        "left = subprocess.Popen(['sleep', '600'], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)\n"
        "open(LOG + '.left', 'w').write(str(left.pid))\n"
        "sys.exit(1)"
    )
    with redirect_stderr(heard), pytest.raises(KubectlFailed, match=r"^error: no$"):
        script.kubectl.raw("/x")
    os.kill(int(script.left.read_text()), signal.SIGKILL)

    assert heard.getvalue() == ""


def test_who_follows_a_watch_can_sign_on_too(tmp_path: Path) -> None:
    script, heard = Script(tmp_path), Heard()
    os.mkfifo(tmp_path / "signed-on")
    script.does(SIGN_ON)
    kubectl = Kubectl((str(tmp_path / "signed-on"),), program=script.kubectl.program)
    with redirect_stderr(heard), kubectl.watch("/x") as events:
        heard.wait_for("enter the code ABCD: ")
        (tmp_path / "signed-on").write_text("")
        assert list(events) == []


def test_kubectl_can_ask_at_the_terminal_unless_it_is_fed(script: Script) -> None:
    ours, theirs = pty.openpty()
    before = os.dup(0)
    script.does("print(json.dumps(os.isatty(0)))")
    try:
        os.dup2(theirs, 0)
        answers = script.kubectl.raw("/x"), script.kubectl.create("/x", {})
    finally:
        os.dup2(before, 0)
        for end in (ours, theirs, before):
            os.close(end)

    assert [json.loads(answer) for answer in answers] == [True, False]


def test_what_a_credential_plug_in_leaves_behind_is_not_waited_for(script: Script) -> None:
    """It may keep our pipe as long as it likes."""
    script.does(
        "import subprocess\n"
        "left = subprocess.Popen(['sleep', '600'], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)\n"
        "print(left.pid)"
    )

    os.kill(int(script.kubectl.raw("/x")), signal.SIGKILL)


def test_a_list_is_read_page_by_page(script: Script) -> None:
    pages = {
        "first": {"items": [an_item(1)], "metadata": {"continue": "more", "resourceVersion": "9"}},
        "last": {"items": [an_item(2)], "metadata": {"resourceVersion": "9"}},
    }
    script.does(f"print(json.dumps({pages!r}['last' if 'continue=more' in sys.argv[3] else 'first']))")

    assert [device.name for device in devices(script.kubectl)] == ["d1", "d2"]


@pytest.mark.parametrize("body", NO_LISTS)
def test_an_answer_that_is_no_list_is_not_an_empty_one(script: Script, body: bytes) -> None:
    """Something between us and the server may answer in its place: no claim is gone for that."""
    script.does(f"sys.stdout.write({body.decode()!r})")

    with pytest.raises(KubectlFailed, match="makes no sense"):
        list(script.kubectl.pages("/x"))
    with pytest.raises(KubectlFailed, match="makes no sense"):
        next(turns(script.kubectl, ["c"], timeout=60))


def test_a_status_that_fits_no_type_does_not_hide_the_others(script: Script) -> None:
    items = [an_item(1, numaNode="zero"), an_item(2)]
    script.does(f"print(json.dumps({{'items': {items!r}, 'metadata': {{'resourceVersion': '9'}}}}))")

    assert [(device.name, device.status.node_name) for device in devices(script.kubectl)] == [
        ("d1", ""),
        ("d2", "janus"),
    ]


def test_a_claim_without_a_sensible_spec_is_left_out(script: Script) -> None:
    items = [{"metadata": {"name": "c"}, "spec": {"address": 5}}]
    script.does(f"print(json.dumps({{'items': {items!r}, 'metadata': {{'resourceVersion': '9'}}}}))")

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
    empty = {"items": None, "metadata": {"resourceVersion": "9"}}
    script.does(
        f"lists = sum('watch=1' not in line for line in open(LOG))\n"
        f"if 'watch=1' in sys.argv[3]: print(json.dumps({expired!r}))\n"
        f"else: print(json.dumps({empty!r} | ({{'items': [{item!r}]}} if lists == 1 else {{}})))"
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
