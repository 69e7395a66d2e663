"""Where a PCI function sits: ``domain:bus:slot.function``."""

from __future__ import annotations

import re

from typing import NamedTuple


_FULL = re.compile(r"([0-9a-f]{4,8}):([0-9a-f]{2}):([01][0-9a-f])\.([0-7])")
_COMPACT = re.compile(r"([0-9a-f]{4,8})([0-9a-f]{2})([01][0-9a-f])([0-7])")
_SHORT = re.compile(r"[0-9a-f]{2}:[01][0-9a-f]\.[0-7]")


class PciAddress(NamedTuple):
    """
    The address of one PCI function. A tuple, since addresses are the keys of nearly everything and sorted often.

    The domain has at least four hex digits and may have more: Intel VMD counts its domains from
    0x10000 (drivers/pci/controller/vmd.c), so ``10000:e1:00.0`` is an address as good as any.
    """

    domain: int
    bus: int
    slot: int
    function: int

    @classmethod
    def parse(cls, text: str) -> PciAddress:
        """
        Read an address as sysfs writes it; the short form ``00:1f.6`` means domain 0000.

        Raises:
            ValueError: *text* is not an address.
        """
        lower = text.lower()
        match = _FULL.fullmatch(f"0000:{lower}" if _SHORT.fullmatch(lower) else lower)
        if match is None:
            raise ValueError(f"not a PCI address: {text!r} (it looks like 0000:04:00.0)")
        domain, bus, slot, function = match.groups()
        if len(domain) > len("0000") and domain.startswith("0"):
            raise ValueError(f"not a PCI address: {text!r} (a domain over four digits has no leading zero)")
        return cls(int(domain, 16), int(bus, 16), int(slot, 16), int(function))

    def __str__(self) -> str:
        return f"{self.domain:04x}:{self.bus:02x}:{self.slot:02x}.{self.function}"

    def object_name(self, node_name: str) -> str:
        """The name of the PCIDevice for this address: ``janus`` and ``0000:04:00.0`` → ``janus-000004000``."""
        return f"{node_name}-{self.domain:04x}{self.bus:02x}{self.slot:02x}{self.function}"

    @classmethod
    def of_object_name(cls, name: str, node_name: str) -> PciAddress | None:
        """The address that `object_name` made *name* of; None when it was not made so."""
        compact = _COMPACT.fullmatch(name.removeprefix(f"{node_name}-"))
        if compact is None:
            return None
        domain, bus, slot, function = compact.groups()
        address = cls(int(domain, 16), int(bus, 16), int(slot, 16), int(function))
        return address if address.object_name(node_name) == name else None
