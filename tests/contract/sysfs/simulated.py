from __future__ import annotations

import contextlib

from collections.abc import Callable
from pathlib import Path

from pcidevices.sim.node import Address, DeviceSpec, Ids, NetSpec, SimulatedNode, Uevent, load_spec


_RIG = Path(__file__).parent / "rig.yaml"


class SimulatedWorld:
    """The rig's machine, simulated."""

    moment = 0.05

    def __init__(self, root: Path, *, kernel: str) -> None:
        spec = load_spec(f'kernel: "{kernel}"\n{_RIG.read_text()}')
        self._node = SimulatedNode(root, spec)
        self.sysfs, self.proc, self.dev = self._node.sysfs, self._node.proc, self._node.dev
        self.udev = root / "run/udev/data"
        self.storage, self.network = self._node.storage, self._node.network
        self.is_6_1 = kernel == "6.1"
        self.write = self._node.write
        self.hold = self._node.hold
        self.load = self._node.load_module
        self.unload = self._node.unload_module
        self.close = self._node.close

    def subscribe(self, callback: Callable[[Uevent], object]) -> Callable[[], None]:
        return self._node.subscribe(callback)

    def release(self, address: str) -> None:
        with contextlib.suppress(ValueError):  # a card that was pulled is released, too
            self._node.release(address)

    def plug(self, port: int) -> str:
        card = DeviceSpec(
            address=Address(0, port, 0, 0),
            ids=Ids(0x8086, 0x10D3),
            subsystem=Ids(0x8086, 0),
            class_code=0x020000,
            driver="e1000e",
            nets=(NetSpec(name=f"eth{port + 20}"),),
        )
        self._node.plug(card)
        return str(card.address)

    def unplug(self, port: int) -> None:
        self._node.unplug(str(Address(0, port, 0, 0)))
