"""What the kubelet answers to a registration, and what that means."""

from __future__ import annotations

import socket

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest

from pcidevices.adapters.kubelet.registration import register
from pcidevices.errors import KubeletAway, KubeletError, RegistrationRefused
from tests.integration.kubelet.conftest import NAME


@contextmanager
def answering(folder: Path, answer: Callable[[bytes, grpc.ServicerContext], bytes]) -> Iterator[None]:
    """A kubelet that only registers, in bytes."""
    pool = ThreadPoolExecutor(1)
    server = grpc.server(pool)
    handler = grpc.unary_unary_rpc_method_handler(answer)
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler("v1beta1.Registration", {"Register": handler}),)
    )
    server.add_insecure_port(f"unix:{folder / 'kubelet.sock'}")
    server.start()
    try:
        yield
    finally:
        server.stop(None).wait()
        pool.shutdown()


async def test_the_request_is_what_the_kubelet_reads(folder: Path) -> None:
    """Byte for byte: version, endpoint, resource name, options."""
    seen: list[bytes] = []

    def answer(request: bytes, _: grpc.ServicerContext) -> bytes:
        seen.append(request)
        return b""

    with answering(folder, answer):
        await register(folder, "a.com/b", "kubevirt-a.com-b.sock")

    assert seen == [b"\x0a\x07v1beta1\x12\x15kubevirt-a.com-b.sock\x1a\x07a.com/b\x22\x02\x10\x01"]


@pytest.mark.parametrize(
    ("status", "words", "error"),
    [
        (grpc.StatusCode.UNKNOWN, f'the ResourceName "{NAME}" is invalid', RegistrationRefused),
        (grpc.StatusCode.UNKNOWN, 'requested API version "v1beta1" is not supported by kubelet', RegistrationRefused),
        (grpc.StatusCode.UNIMPLEMENTED, "unknown service", RegistrationRefused),
        (grpc.StatusCode.UNKNOWN, "failed to dial device plugin: context deadline exceeded", KubeletAway),
        (grpc.StatusCode.UNAVAILABLE, "the server is stopping", KubeletAway),
    ],
)
async def test_a_refusal_is_told_from_a_kubelet_that_could_not(
    folder: Path, status: grpc.StatusCode, words: str, error: type[KubeletError]
) -> None:
    """In the kubelet's words."""

    def answer(_: bytes, context: grpc.ServicerContext) -> Any:
        context.abort(status, words)

    with answering(folder, answer), pytest.raises(error) as raised:
        await register(folder, NAME, "plugin.sock")

    assert words in str(raised.value)


async def test_an_answer_of_nonsense_is_an_error_of_ours(folder: Path) -> None:
    with answering(folder, lambda *_: b"\xff" * 20), pytest.raises(KubeletError, match=NAME):
        await register(folder, NAME, "plugin.sock")


async def test_a_kubelet_that_does_not_answer_is_away(folder: Path) -> None:
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(folder / "kubelet.sock"))
        silent.listen()
        with pytest.raises(KubeletAway, match=r"no answer within 0\.1 seconds"):
            await register(folder, NAME, "plugin.sock", timeout=0.1)


async def test_a_kubelet_that_hangs_up_is_away(folder: Path) -> None:
    """In the middle of the call."""
    with socket.socket(socket.AF_UNIX) as brief, ThreadPoolExecutor(1) as pool:
        brief.bind(str(folder / "kubelet.sock"))
        brief.listen()

        def hang_up() -> None:
            connection, _ = brief.accept()
            brief.close()  # else who notices at once dials again, and waits for an answer
            connection.close()

        hung_up = pool.submit(hang_up)
        with pytest.raises(KubeletAway):
            await register(folder, NAME, "plugin.sock")
        hung_up.result()


async def test_what_speaks_another_protocol_is_no_kubelet(folder: Path) -> None:
    with socket.socket(socket.AF_UNIX) as other, ThreadPoolExecutor(1) as pool:
        other.bind(str(folder / "kubelet.sock"))
        other.listen()

        def greet() -> None:
            connection, _ = other.accept()
            with connection:
                connection.sendall(b"220 mail.example.com ESMTP\r\n" * 100)
                connection.recv(1)

        greeted = pool.submit(greet)
        with pytest.raises(KubeletAway):
            await register(folder, NAME, "plugin.sock")
        greeted.result()


async def test_no_socket_is_no_kubelet(folder: Path) -> None:
    with pytest.raises(KubeletAway, match="No such file"):
        await register(folder, NAME, "plugin.sock")
