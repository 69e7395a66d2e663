from __future__ import annotations

import re

from dataclasses import dataclass


_PATTERN = re.compile(r"(?P<domain>[0-9a-f]{4,8}):(?P<bus>[0-9a-f]{2}):(?P<slot>[01][0-9a-f])\.(?P<function>[0-7])")


@dataclass(frozen=True, slots=True, order=True)
class Address:
    """Where a PCI function is: `0000:04:00.0`. The order is the one in which the kernel counts a bus."""

    domain: int
    bus: int
    slot: int
    function: int

    @classmethod
    def parse(cls, text: str) -> Address:
        """The address that *text* writes in full, in lower case, as the kernel does; else ValueError."""
        found = _PATTERN.fullmatch(text)
        if found is None:
            raise ValueError(f"{text!r} is no PCI address; write it in full, as in 0000:04:00.0")
        return cls(*(int(part, 16) for part in found.group("domain", "bus", "slot", "function")))

    def after(self, distance: int) -> Address:
        """The function *distance* routing ids further on, which may be on another bus."""
        routing = (self.bus << 8 | self.slot << 3 | self.function) + distance
        return Address(self.domain, routing >> 8, routing >> 3 & 0x1F, routing & 7)

    def __str__(self) -> str:
        return f"{self.domain:04x}:{self.bus:02x}:{self.slot:02x}.{self.function}"
