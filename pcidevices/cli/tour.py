"""The demo's tour: what a person would type, typed for them, and checked."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import urllib.request

from collections.abc import Callable
from pathlib import Path
from typing import Any

from anyio import fail_after, run_process, sleep, to_thread

from pcidevices.api.v1beta1 import API_VERSION, GROUP, VENDOR_LABEL
from pcidevices.sim.apiserver import ApiServer

from .tourclaims import ClaimTour


_PATIENCE = 20.0
_GPU = "0000:5e:00.0"
_DEVICES = f"/apis/{API_VERSION}/pcidevices"
_KIND = f"pcidevices.{GROUP}"
_TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"


class Tour:
    """Takes the tour with kubectl where there is one, else with plain HTTP."""

    def __init__(self, server: ApiServer, kubeconfig: Path, node_name: str, *, spec: Path, devices: int) -> None:
        self._server = server
        self._kubeconfig = kubeconfig
        self._node = node_name
        self._spec = spec
        self._devices = devices
        beside = Path(sys.executable).parent / "kubectl"
        self._kubectl = str(beside) if beside.exists() else shutil.which("kubectl")
        self._wrong: list[str] = []

    async def take(self) -> bool:
        """Take every step and print it; tell whether all was as it should be."""
        gpu = f"{self._node}-00005e000"
        await self._until("every device is published", self._all_present)
        _say(f"{self._devices} devices of node {self._node} are published.")
        if not self._kubectl:
            _say("There is no kubectl here: plain HTTP has to do.")

        await self._show(["get", "pcidevices"], _DEVICES, "0000:01:00.0", "nouveau")
        await self._show(
            ["get", "pcidev", "-l", f"{VENDOR_LABEL}=10de", "-o", "wide"],
            f"{_DEVICES}?labelSelector={VENDOR_LABEL}%3D10de",
            "GP106 [GeForce GTX 1060 3GB]",
        )
        by_name = "nvidia.com/GP106_GEFORCE_GTX_1060_3GB"
        await self._show(
            ["get", "pcidev", "--field-selector", f"status.resourceName={by_name}", "-o", "name"],
            f"{_DEVICES}?fieldSelector=status.resourceName%3D{by_name}",
            gpu,
        )
        if self._kubectl:
            await self._show(["describe", "pcidev", gpu], "", by_name, "Present")
            await self._show(["explain", "pcideviceclaim.spec.address"], "", "PCI address")
            await self._show(["wait", "--for=condition=Present", f"pcidev/{gpu}", "--timeout=10s"], "", "condition met")

        _say(f"The GPU at {_GPU} is pulled out: its entries are taken from {self._spec.name}.")
        whole = self._spec.read_text()
        self._spec.write_text("\n".join(line for line in whole.splitlines() if f"{_GPU[:-1]}" not in line))
        await self._until(f"{gpu} is gone", lambda: gpu not in self._names())
        _say(f"{gpu} is gone. It is put back.")
        self._spec.write_text(whole)
        await self._until(f"{gpu} is back", self._all_present)
        await self._show(["get", "pcidev", gpu], f"{_DEVICES}/{gpu}", "nouveau")

        folder = self._kubeconfig.parent
        claims = ClaimTour(self._server, folder, self._node, show=self._show, until=self._until, say=_say)
        await claims.take()

        for wrong in self._wrong:
            print(f"WRONG: {wrong}", file=sys.stderr)
        _say("All was as it should be." if not self._wrong else "Something was wrong.")
        return not self._wrong

    async def _show(self, arguments: list[str], path: str, *expected: str) -> None:
        if self._kubectl:
            print(f"\n$ kubectl {' '.join(arguments)}", flush=True)
            options = [f"--kubeconfig={self._kubeconfig}", f"--cache-dir={self._kubeconfig.parent / 'cache'}"]
            done = await run_process([self._kubectl, *options, *arguments], check=False, stderr=subprocess.STDOUT)
            output = done.stdout.decode()
        else:
            print(f"\nGET {path}", flush=True)
            output = await to_thread.run_sync(_table, self._server.url + path)
        print(output, end="")
        self._wrong += [f"{arguments}: no {text!r}" for text in expected if text not in output]

    def _names(self) -> set[str]:
        return {device["metadata"]["name"] for device in self._server.list(_KIND)}

    def _all_present(self) -> bool:
        return sum("conditions" in device.get("status", {}) for device in self._server.list(_KIND)) == self._devices

    async def _until(self, what: str, true: Callable[[], bool]) -> None:
        try:
            with fail_after(_PATIENCE):
                while not true():  # noqa: ASYNC110  the server in memory has no event for it
                    await sleep(0.05)
        except TimeoutError:
            self._wrong.append(f"not within {_PATIENCE:.0f} s: {what}")


def _table(url: str) -> str:
    with urllib.request.urlopen(urllib.request.Request(url, headers={"Accept": _TABLE})) as answer:  # noqa: S310  ours
        table: dict[str, Any] = json.load(answer)
    shown = [i for i, column in enumerate(table["columnDefinitions"]) if not column.get("priority")]
    rows = [[table["columnDefinitions"][i]["name"] for i in shown]]
    rows += [["" if row["cells"][i] is None else str(row["cells"][i]) for i in shown] for row in table["rows"]]
    return "".join("   ".join(row) + "\n" for row in rows)


def _say(text: str) -> None:
    print(f"\n# {text}", flush=True)
