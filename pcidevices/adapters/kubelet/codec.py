"""Messages to bytes and back, and the frames of a stream."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from itertools import compress, count
from operator import ne
from typing import cast

from anyio.lowlevel import checkpoint
from betterproto import Message
from grpclib import GRPCError, Status
from grpclib.encoding.base import CodecBase

from pcidevices.domain.offer import Offer, OfferedDevice

from .wire import AllocateRequest, PreferredAllocationRequest, listed


_AT_ONCE = 500

Request = Message | AllocateRequest | PreferredAllocationRequest


@dataclass(frozen=True, eq=False)
class Healthy:
    """The devices of an offer that are called healthy. Their ids are worked out when somebody asks for them."""

    devices: tuple[OfferedDevice, ...] = ()

    @cached_property
    def ids(self) -> frozenset[str]:
        return frozenset(str(device.address) for device in self.devices if device.unhealthy is None)


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One ListAndWatchResponse as it travels."""

    wire: bytes
    healthy: Healthy
    """The same object as that of the frame before, if the same devices are healthy."""


class Codec(CodecBase):
    """Takes bytes beside messages, and turns nonsense into an answer."""

    __content_subtype__ = "proto"

    def encode(self, message: object, message_type: object) -> bytes:  # noqa: ARG002  the library's signature
        return message if isinstance(message, bytes) else bytes(cast("Message", message))

    def decode(self, data: bytes, message_type: type[Request]) -> Request:
        try:
            return message_type().parse(data)
        except Exception as error:  # the messages' library raises whatever it stumbles over
            raise GRPCError(Status.INVALID_ARGUMENT, f"not a {message_type.__name__}") from error


class Encoder:
    """Makes frames. Of an offer as long as the one before, only what differs from it is looked at."""

    def __init__(self) -> None:
        self._devices: tuple[OfferedDevice, ...] = ()
        self._wires: list[bytes] = []
        self._healthy = Healthy()

    async def frame(self, offer: Offer) -> Frame:
        """The whole offer as a frame; lets others run where there is much to encode."""
        before, devices = self._devices, offer.devices
        changed: Iterable[int]
        if len(devices) == len(before):
            wires, healthy = self._wires.copy(), self._healthy
            changed = compress(count(), map(ne, devices, before))
        else:
            known = dict(zip(before, self._wires, strict=True))
            wires, healthy = [known.get(device, b"") for device in devices], Healthy(devices)
            changed = [place for place, wire in enumerate(wires) if not wire]
        for fresh, place in enumerate(changed, 1):
            wires[place] = listed(devices[place])
            if len(devices) == len(before) and _health(devices[place]) != _health(before[place]):
                healthy = Healthy(devices)
            if fresh % _AT_ONCE == 0:
                await checkpoint()
        self._devices, self._wires, self._healthy = devices, wires, healthy
        return Frame(b"".join(wires), healthy)


def _health(device: OfferedDevice) -> tuple[object, bool]:
    return device.address, device.unhealthy is None
