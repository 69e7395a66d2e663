"""The configuration header of a device, as `lspci` reads it from the file `config`."""

from __future__ import annotations

import struct

from pcidevices.sim.node.spec import DeviceSpec


_SIZE = 256
_EXTENDED_SIZE = 4096
_MULTIFUNCTION = 0x80
_MEMORY_AND_BUS_MASTER = 0x0006
_CAPABILITIES = 0x0010
_EXPRESS = 0x40
_EXPRESS_ID = 0x10
_ENDPOINT, _ROOT_PORT = 0x0002, 0x0142
_SERIAL_NUMBER_ID = 0x0001_0003


def config_space(spec: DeviceSpec, *, multifunction: bool, virtual: bool = False) -> bytes:
    """
    The first 256 bytes, or 4096 where the device has a serial number (it stands in the extended part).

    A virtual function has no ids of its own there: the kernel knows them from the physical one.
    """
    raw = bytearray(_EXTENDED_SIZE if spec.serial else _SIZE)
    ids = (0xFFFF, 0xFFFF) if virtual else (spec.ids.vendor, spec.ids.device)
    header = (spec.bridge is not None) | (_MULTIFUNCTION if multifunction else 0)
    struct.pack_into("<HHHH", raw, 0, *ids, 0 if virtual else _MEMORY_AND_BUS_MASTER, _CAPABILITIES)
    struct.pack_into("<I", raw, 8, spec.class_code << 8 | spec.revision)
    raw[14] = header
    if spec.bridge is None:
        struct.pack_into("<HH", raw, 0x2C, spec.subsystem.vendor, spec.subsystem.device)
    else:
        raw[0x18:0x1B] = bytes((spec.address.bus, spec.bridge.secondary, spec.bridge.subordinate))
    raw[0x34] = _EXPRESS
    kind = _ROOT_PORT if spec.bridge is not None else _ENDPOINT
    struct.pack_into("<BBH", raw, _EXPRESS, _EXPRESS_ID, 0, kind)
    if spec.serial:
        struct.pack_into("<I", raw, 256, _SERIAL_NUMBER_ID)
        raw[260:268] = bytes(int(pair, 16) for pair in reversed(spec.serial.split("-")))
    return bytes(raw)
