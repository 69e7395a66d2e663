"""Messages to bytes and back, and the frames of a stream."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import chain, repeat
from typing import NamedTuple, cast

from anyio.lowlevel import checkpoint
from betterproto import Message
from grpclib import GRPCError, Status
from grpclib.encoding.base import CodecBase

from pcidevices.domain.address import PciAddress
from pcidevices.domain.offer import Offer, OfferedDevice

from .wire import AllocateRequest, PreferredAllocationRequest, listed


_CHUNK = 32
_AT_ONCE = 16
"""Chunks; about a millisecond."""

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


class _Chunk(NamedTuple):
    """Some devices in a row."""

    devices: tuple[OfferedDevice, ...] = ()
    wire: bytes = b""
    healthy: tuple[PciAddress, ...] = ()


class Encoder:
    """
    Makes frames of chunks; one with a device that differs from the offer before is made anew.

    Most chunks are made of the very objects of the one before, which the interpreter notices without comparing them.
    """

    def __init__(self) -> None:
        self._chunks: list[_Chunk] = []
        self._healthy = Healthy()

    async def frame(self, offer: Offer) -> Frame:
        """The whole offer as a frame; lets others run where there is much to encode."""
        chunks: list[_Chunk] = []
        parts = (offer.devices[begin : begin + _CHUNK] for begin in range(0, len(offer.devices), _CHUNK))
        fresh = 0
        for devices, before in zip(parts, chain(self._chunks, repeat(_Chunk()))):  # noqa: B905  without an end
            if devices == before.devices:
                chunks.append(before)
                continue
            chunks.append(_Chunk(devices, *_encoded(devices)))
            fresh += 1
            if fresh % _AT_ONCE == 0:
                await checkpoint()
        if [chunk.healthy for chunk in chunks] != [chunk.healthy for chunk in self._chunks]:
            self._healthy = Healthy(offer.devices)
        self._chunks = chunks
        return Frame(b"".join([chunk.wire for chunk in chunks]), self._healthy)


def _encoded(devices: tuple[OfferedDevice, ...]) -> tuple[bytes, tuple[PciAddress, ...]]:
    healthy = tuple([device.address for device in devices if device.unhealthy is None])
    return b"".join([listed(device.address, device.unhealthy is None, device.numa_node) for device in devices]), healthy
