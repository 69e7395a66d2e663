"""
The kubelet's side of the device plugin API, written with Google's gRPC and messages: nothing of ours in it.

It does what a kubelet does (1.36): a start removes every socket in the folder; Register dials back and asks for the
options before it answers; one stream for each registration; when the stream ends the connection is closed, and
nothing is tried again.
"""

from __future__ import annotations

import os
import threading

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import grpc

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory  # type: ignore[import-untyped]
from grpc_tools import protoc  # type: ignore[import-untyped]


PROTO = Path(__file__).parents[2] / "proto"
FILES = ("v1beta1/deviceplugin.proto", "podresources/v1/podresources.proto")
PLUGIN = "/v1beta1.DevicePlugin/"
# What kubelet itself waits for a plugin to be there.
DIAL = 10.0


@cache
def _pool() -> descriptor_pool.DescriptorPool:
    with TemporaryDirectory() as folder:
        out = Path(folder) / "set"
        failed = protoc.main(["protoc", f"-I{PROTO}", f"--descriptor_set_out={out}", "--include_imports", *FILES])
        assert not failed
        described = descriptor_pb2.FileDescriptorSet.FromString(out.read_bytes())
    pool = descriptor_pool.DescriptorPool()
    for file in described.file:
        pool.Add(file)
    return pool


@cache
def message(name: str) -> Any:
    """The class of a message: ``v1beta1.Device``."""
    return message_factory.GetMessageClass(_pool().FindMessageTypeByName(name))


def dial(path: Path, options: Iterable[tuple[str, int]] = ()) -> grpc.Channel:
    """A connection of its own; grpc shares them otherwise."""
    return grpc.insecure_channel(f"unix:{path}", options=[("grpc.use_local_subchannel_pool", 1), *options])


class PluginClient:
    """Calls a plugin, in bytes."""

    def __init__(self, path: Path, options: Iterable[tuple[str, int]] = ()) -> None:
        self._channel = dial(path, options)

    def call(self, method: str, request: bytes = b"") -> bytes:
        """One request, one answer."""
        answer: bytes = self._channel.unary_unary(PLUGIN + method)(request, timeout=DIAL)
        return answer

    def stream(self, method: str = "ListAndWatch") -> Any:
        """One request, many answers."""
        return self._channel.unary_stream(PLUGIN + method)(b"", timeout=60)

    def close(self) -> None:
        self._channel.close()


@dataclass
class FakeKubelet:
    """Registers plugins in *folder*. Its methods block: call them in a thread."""

    folder: Path
    refuses: str | None = None
    deaf: bool = False
    """It registers, and never asks for the devices."""
    registrations: list[Any] = field(default_factory=list)
    options: list[Any] = field(default_factory=list)
    allocatable: list[str] = field(default_factory=list)
    """The ids that it could hand out now: what the newest stream says, while it lasts."""
    frames: list[Any] = field(default_factory=list)
    """What came over all streams, one ListAndWatchResponse each."""
    ended: list[str] = field(default_factory=list)
    """The status with which each stream ended."""
    open_before: list[int] = field(default_factory=list)
    """How many connections the plugin had at each registration: kubelet's race begins with the second."""
    _server: grpc.Server | None = None
    _pool: ThreadPoolExecutor | None = None
    _channels: list[grpc.Channel] = field(default_factory=list)
    _streams: list[threading.Thread] = field(default_factory=list)

    def start(self) -> None:
        """Remove all sockets, then listen."""
        for path in self.folder.iterdir():
            if path.is_socket():
                path.unlink(missing_ok=True)  # its owner may be faster
        self._pool = ThreadPoolExecutor(4)
        self._server = grpc.server(self._pool)
        handler = grpc.unary_unary_rpc_method_handler(
            self._register,
            request_deserializer=message("v1beta1.RegisterRequest").FromString,
            response_serializer=lambda answer: answer.SerializeToString(),
        )
        self._server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler("v1beta1.Registration", {"Register": handler}),)
        )
        self._server.add_insecure_port(f"unix:{self.folder / 'kubelet.sock'}")
        self._server.start()

    def stop(self) -> None:
        """Drop everything, as when the process ends."""
        if self._server is not None and self._pool is not None:
            self._server.stop(None).wait()
            self._pool.shutdown()
        self.drop_streams()
        self._server = self._pool = None

    def drop_streams(self) -> None:
        """Close the connections to all plugins, and register nothing."""
        for channel in self._channels:
            channel.close()
        for thread in self._streams:
            thread.join()
        self._channels.clear()
        self._streams.clear()

    def _register(self, request: Any, context: grpc.ServicerContext) -> Any:
        self.open_before.append(connections(self.folder / request.endpoint))
        self.allocatable = []
        self.registrations.append(request)
        if self.refuses is not None:
            self.ended.append("refused")
            context.abort(grpc.StatusCode.UNKNOWN, self.refuses)
        channel = dial(self.folder / request.endpoint)
        self._channels.append(channel)
        asked = channel.unary_unary(
            f"{PLUGIN}GetDevicePluginOptions",
            response_deserializer=message("v1beta1.DevicePluginOptions").FromString,
        )
        try:
            self.options.append(asked(b"", timeout=DIAL, wait_for_ready=True))
        except grpc.RpcError:
            self.ended.append("not reached")
            context.abort(grpc.StatusCode.UNKNOWN, "failed to dial device plugin: context deadline exceeded")
        if not self.deaf:
            thread = threading.Thread(target=self._watch, args=(channel, len(self.registrations)), daemon=True)
            self._streams.append(thread)
            thread.start()
        return message("v1beta1.Empty")()

    def _watch(self, channel: grpc.Channel, number: int) -> None:
        call = channel.unary_stream(
            f"{PLUGIN}ListAndWatch",
            response_deserializer=message("v1beta1.ListAndWatchResponse").FromString,
        )(b"")
        try:
            for frame in call:
                self.frames.append(frame)
                if number == len(self.registrations):
                    self.allocatable = [device.ID for device in frame.devices if device.health == "Healthy"]
            status = "OK"
        except grpc.RpcError as error:
            status = error.code().name
        channel.close()
        if number == len(self.registrations):
            self.allocatable = []
        self.ended.append(status)


def connections(path: Path) -> int:
    """How many connections the server at *path* has."""
    lines = [line.split() for line in Path("/proc/net/unix").read_text().splitlines()]
    return sum(line[-1] == str(path) and line[5] == "03" for line in lines)


def descriptors() -> int:
    """How many file descriptors this process has."""
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208  two names for one thing
