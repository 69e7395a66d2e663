"""The part of the demo's tour that claims: a GPU with its audio function, and the disk that the node runs from."""

from __future__ import annotations

import json

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Protocol

from pcidevices.api.v1beta1 import API_VERSION, GROUP
from pcidevices.sim.apiserver import ApiServer


_GPU, _AUDIO, _DISK = "0000:5e:00.0", "0000:5e:00.1", "0000:01:00.0"
_CLAIMS = f"/apis/{API_VERSION}/pcideviceclaims"
_KIND = f"pcideviceclaims.{GROUP}"
_RESOURCE = "nvidia.com/GP106_GEFORCE_GTX_1060_3GB"


class Show(Protocol):
    """Shows one kubectl command, or a plain GET, and checks what it says."""

    def __call__(self, arguments: list[str], path: str, *expected: str) -> Awaitable[None]: ...


class ClaimTour:
    """What a person would do with claims, done for them, and checked."""

    def __init__(
        self,
        server: ApiServer,
        folder: Path,
        node_name: str,
        *,
        show: Show,
        until: Callable[[str, Callable[[], bool]], Awaitable[None]],
        say: Callable[[str], None],
    ) -> None:
        self._server = server
        self._file = folder / "claims.json"
        self._node = node_name
        self._show = show
        self._until = until
        self._say = say

    async def take(self) -> None:
        """Claim, see it Ready and counted by the kubelet, see the boot disk refused, and give all back."""
        gpu = f"{self._node}-00005e000"
        self._say(f"The GPU and its audio function share an IOMMU group: both are claimed. So is the disk at {_DISK}.")
        claims = [self._claim(address) for address in (_GPU, _AUDIO, _DISK)]
        self._file.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": claims}, indent=2))
        for claim in claims:
            self._server.apply(claim)
        await self._until("the GPU's claim is Ready", lambda: self._reason(_GPU) == self._reason(_AUDIO) == "Ready")
        await self._until("the boot disk is refused", lambda: self._reason(_DISK) == "DeviceProtected")
        await self._show(["get", "pciclaim"], _CLAIMS, "nouveau")
        await self._show(["get", "pcidev", gpu], f"/apis/{API_VERSION}/pcidevices/{gpu}", "vfio-pci")
        await self._until("the kubelet counts the GPU", lambda: self._allocatable() == "1")
        self._say(f"Virtual machines can ask for {_RESOURCE} now: the node has {self._allocatable()}.")
        self._say(f"The disk stays with the host: {self._message(_DISK)}.")
        self._say("The claims are deleted: the GPU goes back to nouveau.")
        for claim in claims:
            self._server.delete(_KIND, claim["metadata"]["name"])
        await self._until("all claims are gone", lambda: not self._server.list(_KIND))
        await self._until("the GPU is not counted any more", lambda: self._allocatable() == "0")
        await self._show(["get", "pcidev", gpu], f"/apis/{API_VERSION}/pcidevices/{gpu}", "nouveau")

    def _claim(self, address: str) -> dict[str, Any]:
        name = f"{self._node}-{address.replace(':', '').replace('.', '')}"
        return {
            "apiVersion": API_VERSION,
            "kind": "PCIDeviceClaim",
            "metadata": {"name": name},
            "spec": {"address": address, "nodeName": self._node, "userName": "demo"},
        }

    def _ready(self, address: str) -> dict[str, Any]:
        claims = [claim for claim in self._server.list(_KIND) if claim["spec"]["address"] == address]
        conditions = claims[0].get("status", {}).get("conditions", []) if claims else []
        return next((one for one in conditions if one["type"] == "Ready"), {})

    def _reason(self, address: str) -> str:
        return str(self._ready(address).get("reason", ""))

    def _message(self, address: str) -> str:
        return str(self._ready(address).get("message", ""))

    def _allocatable(self) -> str:
        node = self._server.get("nodes", self._node)
        return str((node or {}).get("status", {}).get("allocatable", {}).get(_RESOURCE, ""))
