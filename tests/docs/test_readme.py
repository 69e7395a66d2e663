"""What the README types in the demo, and what comes of it."""

from __future__ import annotations

import os
import re
import subprocess
import sys

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.pages import page
from tests.docs.transcript import calls


BIN = Path(sys.executable).parent
TYPED = calls(page("README.md"))
PULLED, PUT_BACK = (call.command for call in TYPED if call.command.startswith("sed "))
CLAIMED = [call for call in TYPED if call.command.startswith(("kubectl claim", "kubectl wait", "kubectl pci "))]
_TOLD = re.compile(r"export KUBECONFIG=(\S+)")
_AT_MOST = 120.0


@pytest.fixture(scope="module")
def kubeconfig() -> Iterator[str]:
    """Of a demo that has begun."""
    with subprocess.Popen([BIN / "pcidevices", "demo", "--port=0"], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield next(told[1] for line in process.stdout if (told := _TOLD.search(line)))
        process.terminate()


def typed(command: str, kubeconfig: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """In a second terminal."""
    environment = {
        **os.environ,
        "PATH": f"{BIN}:{os.environ['PATH']}",
        "KUBECONFIG": kubeconfig,
        "HOME": str(folder),
        "LC_ALL": "C.UTF-8",
    }
    return subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=_AT_MOST,
    )


def test_a_device_comes_and_goes(kubeconfig: str, tmp_path: Path) -> None:
    """With the lines of the node's file."""
    there = typed("kubectl wait --for=create --timeout=60s pcidev/janus-00005e000", kubeconfig, tmp_path)
    pulled = typed(f"{PULLED} && kubectl wait --for=delete pcidev/janus-00005e000", kubeconfig, tmp_path)
    put_back = typed(f"{PUT_BACK} && kubectl wait --for=create pcidev/janus-00005e000", kubeconfig, tmp_path)

    assert there.returncode == 0, there.stderr
    assert pulled.returncode == 0, pulled.stderr
    assert put_back.returncode == 0, put_back.stderr


def test_claiming_happens_as_it_is_told(kubeconfig: str, tmp_path: Path) -> None:
    """Each line of the page is among what the command says, and what is refused there is refused."""
    for call in CLAIMED:
        done = typed(call.command, kubeconfig, tmp_path)
        said = done.stdout + done.stderr

        assert call.missing_in(said) == [], said
        assert (done.returncode != 0) == call.is_refused, said

    assert (tmp_path / "map.html").stat().st_size > 0
