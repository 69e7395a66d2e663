"""What the kernel tells udev."""

import select
import socket
import time

from typing import NamedTuple, Self


KOBJECT_UEVENT = 15
SO_RCVBUFFORCE = 33


class Uevent(NamedTuple):
    """One message. `seen` is the time at which it was read."""

    action: str
    path: str
    facts: dict[str, str]
    seen: float

    @property
    def address(self) -> str | None:
        """Of the PCI device that it is about, if it is."""
        return self.facts.get("PCI_SLOT_NAME") if self.facts.get("SUBSYSTEM") == "pci" else None


class Uevents:
    """
    All messages from the start of the listener on.

    The kernel keeps them until they are read. Should it have thrown some away, reading raises ENOBUFS.
    """

    def __init__(self) -> None:
        self.seen: list[Uevent] = []
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM, KOBJECT_UEVENT)
        self._socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 1 << 24)
        self._socket.bind((0, 1))

    def read(self, *, timeout: float = 0) -> Uevent | None:
        """The next one, which is also added to `seen`; None when there is none."""
        if not select.select([self._socket], [], [], timeout)[0]:
            return None
        words = self._socket.recv(1 << 16).decode(errors="replace").split("\0")
        facts = dict(word.split("=", 1) for word in words[1:] if "=" in word)
        self.seen.append(Uevent(facts.get("ACTION", ""), facts.get("DEVPATH", ""), facts, time.monotonic()))
        return self.seen[-1]

    def wait_for(self, action: str, address: str, *, timeout: float = 60) -> Uevent:
        """The next one about a PCI device, given by its full address."""
        end = time.monotonic() + timeout
        while event := self.read(timeout=max(0, end - time.monotonic())):
            if (event.action, event.address) == (action, address):
                return event
        raise TimeoutError(f"no {action} of {address} within {timeout} s")

    def close(self) -> None:
        """Stop listening."""
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
