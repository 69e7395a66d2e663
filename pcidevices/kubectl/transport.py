"""
The way to the cluster: the real kubectl, run once for each request.

It knows kubeconfigs, credentials, proxies and impersonation, and says errors in its own words; what a
person gave us of its flags is passed on as it was given. Nothing here knows what is asked for.
"""

from __future__ import annotations

import io
import selectors
import subprocess
import sys
import time

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar
from urllib.parse import urlencode

import msgspec

from pcidevices.errors import KubectlFailed, KubectlMissing

from .overhearing import Overheard


T = TypeVar("T")
S = TypeVar("S", bound=msgspec.Struct)

PAGE, NEXT_PAGE = 500, 2500
"""How many objects a list asks for at first, as kubectl does, and then: each page costs the start of a program."""
_GRACE = 2.0
_CHUNK = 1 << 16


class _ListMeta(msgspec.Struct, rename="camel", frozen=True):
    resource_version: Annotated[str, msgspec.Meta(min_length=1)]
    continue_: str = msgspec.field(default="", name="continue")


class _Page(msgspec.Struct):
    """A list has a version and items, null where there are none. What has not is no list, and not an empty one."""

    items: list[msgspec.Raw] | None
    metadata: _ListMeta


class Event(msgspec.Struct):
    """One line of a watch: ADDED, MODIFIED, DELETED, BOOKMARK or ERROR, and the object as the server sent it."""

    type: str
    object: msgspec.Raw


@dataclass(frozen=True, slots=True)
class Kubectl:
    """The kubectl that called us, with the global flags (`--context=…`, `--as=…`) that it was given."""

    flags: tuple[str, ...] = ()
    program: str = "kubectl"

    def get(self, path: str, *, into: type[T], query: Mapping[str, object] | None = None) -> T:
        """
        The answer to a GET of *path*, such as ``/apis/…/pcidevices/x``, as a value.

        Raises:
            KubectlFailed: there is none, or not of that kind: something between us and the server may have spoken.
        """
        try:
            return msgspec.json.decode(self.raw(path, query), type=into)
        except msgspec.MsgspecError as error:
            raise KubectlFailed((f"error: GET {path}: an answer that makes no sense: {error}",), status=1) from error

    def raw(self, path: str, query: Mapping[str, object] | None = None) -> bytes:
        """The answer to a GET of *path*, as the server sent it."""
        return self.run("get", "--raw", _address(path, query))

    def create(self, path: str, body: object, *, query: Mapping[str, object] | None = None) -> bytes:
        """The answer to a POST of *body* to *path*."""
        return self.run("create", "--raw", _address(path, query), "-f", "-", fed=msgspec.json.encode(body))

    def delete(self, path: str, *, query: Mapping[str, object] | None = None) -> bytes:
        """The answer to a DELETE of *path*."""
        return self.run("delete", "--raw", _address(path, query))

    def merge_patch(self, kind: str, name: str, patch: object, *, flags: Sequence[str] = ()) -> bytes:
        """The object after a merge patch; *kind* is a resource with its group, as in ``pcidevices.<group>``."""
        words = ("patch", kind, name, "--type=merge", f"--patch={msgspec.json.encode(patch).decode()}")
        return self.run(*words, "--output=json", *flags)

    def pages(
        self, path: str, query: Mapping[str, object] | None = None, *, limit: int = PAGE
    ) -> Iterator[tuple[list[msgspec.Raw], str]]:
        """
        A whole list, page by page: the objects as the server sent them, and the list's resource version.

        A list that changes too much while it is read is refused by the server (410): begin anew.
        """
        more: dict[str, object] = {"limit": limit, **(query or {})}
        while True:
            page = self.get(path, into=_Page, query=more)
            yield page.items or [], page.metadata.resource_version
            if not page.metadata.continue_:
                return
            more |= {"limit": NEXT_PAGE if limit == PAGE else limit, "continue": page.metadata.continue_}

    @contextmanager
    def watch(
        self, path: str, query: Mapping[str, object] | None = None, *, timeout: float | None = None
    ) -> Iterator[Iterator[Event]]:
        """
        What happens below *path* from now on, or from the query's ``resourceVersion`` on, until *timeout* seconds
        have passed or the server ends it; leaving the block ends kubectl.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        process, words = self._started("get", "--raw", _address(path, {**(query or {}), "watch": 1}))
        try:
            yield _events(process, words, deadline)
        finally:
            _end(process)

    def run(self, *arguments: str, fed: bytes = b"") -> bytes:
        """
        What kubectl prints.

        Raises:
            KubectlFailed: it says why, in its own words.
            KubectlMissing: there is none.
        """
        process, words = self._started(*arguments, is_fed=bool(fed))
        with process:
            try:
                said, _ = process.communicate(fed or None)
            except BaseException:
                process.kill()
                raise
        words.when_ended()
        if process.returncode:
            raise KubectlFailed(words.lines or _lines(said), status=process.returncode)
        if words.unread:  # warnings of the server, or what -v asked for
            sys.stderr.write(words.unread)
        return said

    def _started(self, *arguments: str, is_fed: bool = False) -> tuple[subprocess.Popen[bytes], Overheard]:
        """A kubectl that runs, and what it says on stderr. Unless it is fed it has our stdin: it may ask a person."""
        stdin, pipe = subprocess.PIPE if is_fed else None, subprocess.PIPE
        try:
            process = subprocess.Popen(  # noqa: S603  the user's own kubectl
                self._command(*arguments), stdin=stdin, stdout=pipe, stderr=pipe
            )
        except OSError as error:
            raise self._missing(error) from error
        ear, process.stderr = process.stderr, None
        assert isinstance(ear, io.BufferedReader)  # noqa: S101  it was asked for
        return process, Overheard(ear)

    def _command(self, *arguments: str) -> list[str]:
        return [self.program, *arguments, *self.flags]

    def _missing(self, error: OSError) -> KubectlMissing:
        return KubectlMissing(f"{self.program} cannot be run ({error.strerror}); install kubectl or put it on the PATH")


def typed(raw: msgspec.Raw | bytes, kind: type[S]) -> S:
    """An object of the cluster as a value."""
    return msgspec.json.decode(raw, type=kind)


def _address(path: str, query: Mapping[str, object] | None) -> str:
    return f"{path}?{urlencode(query)}" if query else path


def _lines(text: bytes) -> tuple[str, ...]:
    return tuple(line for line in text.decode(errors="replace").splitlines() if line.strip())


def _events(process: subprocess.Popen[bytes], words: Overheard, deadline: float | None) -> Iterator[Event]:
    decoder = msgspec.json.Decoder(Event)
    for line in _read(process, deadline):
        yield decoder.decode(line)
    if process.poll():
        raise KubectlFailed(words.when_ended().lines, status=process.returncode)


def _read(process: subprocess.Popen[bytes], deadline: float | None) -> Iterator[bytes]:
    """Whole lines, until the end or the deadline; a line may be longer than any pipe."""
    assert isinstance(process.stdout, io.BufferedReader)  # noqa: S101  it was asked for
    pending = bytearray()
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while True:
            left = None if deadline is None else deadline - time.monotonic()
            if (left is not None and left <= 0) or not selector.select(left):
                return
            chunk = process.stdout.read1(_CHUNK)
            if not chunk:
                process.wait()
                return
            *lines, rest = chunk.split(b"\n")
            for line in lines:
                whole = bytes(pending) + line
                pending.clear()
                if whole.strip():
                    yield whole
            pending += rest


def _end(process: subprocess.Popen[Any]) -> None:
    process.terminate()
    try:
        process.wait(_GRACE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdout is not None:
        process.stdout.close()
