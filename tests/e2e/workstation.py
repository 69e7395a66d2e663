"""Somebody's own machine: kubectl, pipx and a wheel, and nothing of this checkout."""

from __future__ import annotations

import os
import subprocess
import sys

from dataclasses import dataclass
from pathlib import Path

from tests.e2e.cluster import BIN, ROOT


_PINS = ROOT / "hack/requirements"
_AT_MOST = 300.0
_PIP = (sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check")


@dataclass(frozen=True, slots=True)
class Workstation:
    """With a home that is empty at first."""

    folder: Path

    @property
    def downloads(self) -> Path:
        """Where the wheel lies."""
        return self.folder / "downloads"

    @property
    def plug_ins(self) -> Path:
        """Where pipx puts programs."""
        return self.folder / "home/.local/bin"

    def types(self, command: str, *, kubeconfig: Path) -> subprocess.CompletedProcess[str]:
        """What comes of a command, typed where the wheel lies."""
        return subprocess.run(
            ["bash", "-c", command],
            env=self._environment(kubeconfig),
            cwd=self.downloads,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=_AT_MOST,
        )

    def _environment(self, kubeconfig: Path) -> dict[str, str]:
        """Of the shell. What pipx needs lies there already; no network is asked."""
        path = (self.plug_ins, self.folder / "tools/bin", "/usr/bin", "/bin")
        return {
            "PATH": os.pathsep.join(map(str, path)),
            "HOME": str(self.folder / "home"),
            "KUBECONFIG": str(kubeconfig),
            "LC_ALL": "C.UTF-8",
            "UV_FIND_LINKS": str(self.folder / "pins"),
            "UV_OFFLINE": "1",
        }


def a_workstation(folder: Path) -> Workstation:
    """Build the wheel; fetch what it and pipx need, by known hashes; install pipx."""
    station = Workstation(folder)
    pins, tools = folder / "pins", folder / "tools"
    _run(sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", station.downloads)
    files = [word for name in ("runtime", "pipx") for word in ("--requirement", _PINS / f"{name}.txt")]
    _run(*_PIP, "download", "--require-hashes", "--no-deps", "--dest", pins, *files)
    _run(sys.executable, "-m", "venv", "--without-pip", tools)
    # Of pipx's two installers uv is the faster by far.
    install = ("install", "--no-compile", "--no-index", "--find-links", pins, "pipx[uv]")
    _run(*_PIP, "--python", tools / "bin/python", *install)
    (tools / "bin/kubectl").symlink_to(BIN / "kubectl")
    (folder / "home").mkdir()
    return station


def _run(*command: str | Path) -> None:
    subprocess.run([str(word) for word in command], check=True, cwd=ROOT, stdout=subprocess.DEVNULL)
