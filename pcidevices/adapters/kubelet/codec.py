"""Messages to bytes and back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from anyio.lowlevel import checkpoint
from betterproto import Message
from grpclib import GRPCError, Status
from grpclib.encoding.base import CodecBase

from pcidevices.domain.offer import Offer, OfferedDevice
from pcidevices.kubeletapi import v1beta1


_AT_ONCE = 50


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One ListAndWatchResponse as it travels."""

    wire: bytes
    healthy: frozenset[str]
    """The ids of the devices that it calls healthy."""


class Codec(CodecBase):
    """Takes frames beside messages, and turns nonsense into an answer."""

    __content_subtype__ = "proto"

    def encode(self, message: object, message_type: object) -> bytes:  # noqa: ARG002  the library's signature
        return message.wire if isinstance(message, Frame) else bytes(cast("Message", message))

    def decode(self, data: bytes, message_type: type[Message]) -> Message:
        try:
            return message_type().parse(data)
        except Exception as error:  # the messages' library raises whatever it stumbles over
            raise GRPCError(Status.INVALID_ARGUMENT, f"not a {message_type.__name__}") from error


class Encoder:
    """Makes frames. Encoding a device is slow, so each is encoded once for as long as it does not change."""

    def __init__(self) -> None:
        self._known: dict[OfferedDevice, bytes] = {}

    async def frame(self, offer: Offer) -> Frame:
        """The whole offer as a frame; lets others run where there is much to encode."""
        known: dict[OfferedDevice, bytes] = {}
        fresh = 0
        for device in offer.devices:
            wire = self._known.get(device)
            if wire is None:
                wire = _encode(device)
                fresh += 1
                if fresh % _AT_ONCE == 0:
                    await checkpoint()
            known[device] = wire
        self._known = known
        healthy = frozenset(str(device.address) for device in offer.devices if device.unhealthy is None)
        return Frame(b"".join(known.values()), healthy)


def _encode(device: OfferedDevice) -> bytes:
    told = v1beta1.Device(
        id=str(device.address),
        health="Healthy" if device.unhealthy is None else "Unhealthy",
    )
    if device.numa_node is not None:
        told.topology = v1beta1.TopologyInfo(nodes=[v1beta1.NumaNode(id=device.numa_node)])
    # A message of one device is what the device adds to a message of many.
    return bytes(v1beta1.ListAndWatchResponse(devices=[told]))
