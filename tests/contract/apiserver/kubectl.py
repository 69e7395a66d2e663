"""The real kubectl, apart from anybody's own configuration."""

from __future__ import annotations

import os
import shutil
import sys

from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import yaml

from tests.contract.apiserver.client import widget


if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from anyio.abc import Process


PATIENCE = 60.0


def find_kubectl() -> str | None:
    """The one that ``PCIDEVICES_TEST_KUBECTL`` names, else the one of the environment, else anyone's."""
    named = os.environ.get("PCIDEVICES_TEST_KUBECTL")
    return named or shutil.which("kubectl", path=str(Path(sys.executable).parent)) or shutil.which("kubectl")


class Kubectl:
    """Runs commands against one API server."""

    def __init__(self, program: str, kubeconfig: str, home: Path) -> None:
        self._program = program
        self._home = home
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "KUBECONFIG": kubeconfig,
            "KUBECACHEDIR": str(home / "cache"),
            "GOGC": "off",  # it ends before it has anything to collect
        }

    async def __call__(self, *arguments: str, fed: str = "") -> str:
        """What kubectl says when all is well."""
        code, said, complained = await self.tried(*arguments, fed=fed)
        assert code == 0, complained or said
        return said

    async def tried(self, *arguments: str, fed: str = "") -> tuple[int, str, str]:
        """Exit code, output, complaints."""
        with anyio.fail_after(PATIENCE):
            done = await anyio.run_process(
                self._command(arguments), input=fed.encode(), check=False, env=self.environment
            )
        return done.returncode, done.stdout.decode(), done.stderr.decode()

    @asynccontextmanager
    async def running(self, *arguments: str) -> AsyncIterator[Process]:
        """A command that goes on, such as ``get --watch``."""
        async with await anyio.open_process(self._command(arguments), env=self.environment) as process:
            yield process
            process.terminate()

    def _command(self, arguments: tuple[str, ...]) -> list[str]:
        return [self._program, f"--cache-dir={self._home / 'cache'}", *arguments]


def manifest(name: str = "a", spec: dict[str, Any] | None = None) -> str:
    """A widget as a file for kubectl."""
    return yaml.safe_dump(widget(name, spec))


def words(text: str) -> list[list[str]]:
    """What kubectl says, line by line."""
    return [line.split() for line in text.splitlines()]
