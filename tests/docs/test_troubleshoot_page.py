"""The commands of docs/how-to/troubleshoot.md that have an agent tell more find it, and nobody else."""

from __future__ import annotations

import json
import shlex
import shutil
import signal
import subprocess
import sys

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.pages import page


Running = subprocess.Popen[bytes]

FIND, _example, TELL = page("docs/how-to/troubleshoot.md").blocks[0].text.splitlines()
NOBODY = {
    "apiVersion": "v1",
    "kind": "Config",
    "clusters": [{"name": "one", "cluster": {"server": "http://127.0.0.1:9"}}],
    "users": [{"name": "one", "user": {"token": "one"}}],
    "contexts": [{"name": "one", "context": {"cluster": "one", "user": "one"}}],
    "current-context": "one",
}


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[Running]:
    """One of a simulated node, without an API server; it has begun."""
    program = Path(sys.executable).with_name("pcidevices")
    (tmp_path / "node.yaml").write_text("devices: {}\n")
    (tmp_path / "kubeconfig").write_text(json.dumps(NOBODY))
    words = [str(program), "agent", "--simulate=node.yaml", "--node-name=janus", "--kubeconfig=kubeconfig"]
    with subprocess.Popen(words, cwd=tmp_path, stderr=subprocess.PIPE) as process:
        assert tells(process, "list.failed")
        yield process
        process.terminate()


@pytest.fixture
def bystander() -> Iterator[Running]:
    """Somebody else, with the words in the command line."""
    with subprocess.Popen(["sh", "-c", "read _; : pcidevices agent"], stdin=subprocess.PIPE) as process:
        yield process
        process.kill()


def tells(process: Running, event: str) -> bool:
    """Wait until it has; it may also end without."""
    assert process.stderr is not None
    return any(event.encode() in line for line in process.stderr)


@pytest.mark.skipif(not shutil.which("pgrep"), reason="needs pgrep (Debian's procps)")
def test_an_agent_is_found_and_told_to_tell_more(agent: Running, bystander: Running) -> None:
    words = shlex.split(FIND.removeprefix("$ "))

    listed = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    found = dict(line.split(" ", 1) for line in listed.splitlines())
    kill, number, _pid = TELL.removeprefix("$ ").split()
    agent.send_signal(getattr(signal, f"SIG{number.removeprefix('-')}"))

    assert kill == "kill"
    assert " agent " in found[str(agent.pid)]
    assert str(bystander.pid) not in found
    assert tells(agent, "level.changed")
