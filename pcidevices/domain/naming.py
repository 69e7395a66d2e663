"""
The names that people meet: the resource name in a VM's spec, and the description in a table.

Both follow the Go program that users come from (``pcidevice.go`` of harvester/pcidevices), to the
byte: VM specs in the field hold these names. Go's rules differ from Python's in small ways that
matter: white space and alphanumeric mean ASCII's, only the trim is Unicode's, and upper-casing
maps one character to one. Where Go's program crashed or made an invalid name, these are total.
"""

from __future__ import annotations

import re

from typing import NamedTuple, NewType


ResourceName = NewType("ResourceName", str)
"""What the kubelet counts and a VM asks for: ``nvidia.com/GP106_GEFORCE_GTX_1060_3GB``."""


class PciNames(NamedTuple):
    """What the PCI ID database says of a device; None is what it does not know."""

    vendor: str | None = None
    device: str | None = None
    class_name: str | None = None
    subclass_name: str | None = None


UNNAMED = PciNames()


_BRACKETED = re.compile(r"\[([^\]]+)\]")
_NOT_ALNUM = re.compile(r"[^a-zA-Z0-9]+")
_NOT_PRODUCT = re.compile(r"[^A-Z0-9_]+")
_GO_SPACE = re.compile(r"[\t\n\f\r ]+")
# unicode.IsSpace of Go; str.strip() would also take U+001C to U+001F.
_GO_TRIM = (
    "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006"
    "\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000"
)

_UNKNOWN = "unknown"
# A socket's path may have 107 bytes and a NUL (sockaddr_un); this is how the ancestor counts them.
_SOCKET = "/var/lib/kubelet/device-plugins/kubevirt-/{vendor}-{product}.sock"
_SOCKET_LIMIT = 108
_LABEL_LIMIT = 63
# What the path of 107 bytes leaves for the whole name, and for a vendor with a device id behind it.
_NAME_LIMIT, _VENDOR_LIMIT = 61, 52
# The kubelet takes a domain that begins with "requests." for a quota (helpers.IsExtendedResourceName).
_RESERVED_VENDORS = frozenset({"", "requests"})


def resource_name(vendor_name: str | None, device_name: str | None, device_id: str) -> ResourceName:
    """
    The resource name of a model, such as ``intel.com/ETHERNET_CONNECTION_11_I219LM``.

    *device_id* (four hex digits) stands in for a name that is unknown, empty or too long for the
    plugin's socket. Any text gives a name that the kubelet takes.
    """
    vendor = f"{_vendor_word(vendor_name)}.com"
    product = _product(device_name)
    if product and not _fits(vendor, product):
        product = product.replace("VIRTUAL_FUNCTION", "VF")
    if not _fits(vendor, product):
        product = ""
    # The ancestor keeps leading underscores, which the kubelet refuses; they count for the length all the same.
    product = product.lstrip("_") or device_id
    if len(f"{vendor}/{product}") > _NAME_LIMIT:
        vendor = f"{vendor.removesuffix('.com')[:_VENDOR_LIMIT]}.com"
    return ResourceName(f"{vendor}/{product}")


def description(names: PciNames, *, vendor_id: str, device_id: str, class_id: str) -> str:
    """``<class>: <vendor> <device>``, each as the database has it, with the ids in place of what it lacks."""
    what = _known(names.subclass_name) or _known(names.class_name) or f"Class {class_id}"
    vendor = _known(names.vendor) or f"Vendor {vendor_id}"
    device = _known(names.device) or f"Device {device_id}"
    return f"{what}: {vendor} {device}"


def _known(name: str | None) -> str | None:
    return None if name == _UNKNOWN else name


def _vendor_word(name: str | None) -> str:
    if name is None:
        return _UNKNOWN
    bracketed = _BRACKETED.search(name)
    word = bracketed[1].split("/")[0] if bracketed else name.split(" ")[0]
    word = _NOT_ALNUM.sub("", word).lower()
    return _UNKNOWN if word in _RESERVED_VENDORS else word


def _product(name: str | None) -> str:
    text = "".join(map(_go_upper, (_known(name) or "").strip(_GO_TRIM)))
    text = _GO_SPACE.sub("_", text.replace("/", "_").replace(".", "_"))
    return _NOT_PRODUCT.sub("", text).rstrip("_")


def _go_upper(character: str) -> str:
    upper = character.upper()
    return upper if len(upper) == 1 else character


def _fits(vendor: str, product: str) -> bool:
    return len(_SOCKET.format(vendor=vendor, product=product)) <= _SOCKET_LIMIT and len(product) <= _LABEL_LIMIT
