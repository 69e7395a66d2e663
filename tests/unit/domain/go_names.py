"""
The ancestor's algorithm (``resourceName`` of its ``pcidevice.go``), as a model to compare with.

Written from the Go source alone, character by character, and on purpose without the regular
expressions and the string methods that the program itself uses.
"""

from __future__ import annotations

import re


UNKNOWN = "unknown"

_LOWER, _UPPER, _DIGITS = "abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "0123456789"
_ALNUM = frozenset(_LOWER + _UPPER + _DIGITS)
# The two characters beyond ASCII that unicode.ToUpper takes into ASCII.
_TO_UPPER = dict(zip(_LOWER, _UPPER, strict=True)) | {"\u0131": "I", "\u017f": "S"}
_REGEXP_SPACE = frozenset("\t\n\f\r ")
_UNICODE_SPACE = frozenset(map(chr, (*range(9, 14), 32, 0x85, 0xA0, 0x1680, *range(0x2000, 0x200B))))
_UNICODE_SPACE |= frozenset(map(chr, (0x2028, 0x2029, 0x202F, 0x205F, 0x3000)))
_SOCKET_LIMIT = 108

_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_NAME = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?")


class Panic(Exception):
    """Where the ancestor dies: index out of range."""


def resource_name(vendor_name: str, product_name: str, product_id: str) -> str:
    """The name that the ancestor gives; *unknown* stands for what the database does not have."""
    vendor = "".join(_lower(c) for c in _vendor_base(vendor_name)) + ".com"
    if product_name == UNKNOWN:
        return f"{vendor}/{product_id}"
    product = _product(product_name) or product_id
    return _trimmed(vendor, product, product_id)


def kubelet_takes(name: str) -> bool:
    """IsExtendedResourceName of k8s.io/kubernetes, for names with a slash."""
    prefix, slash, part = name.partition("/")
    return (
        slash == "/"
        and not name.startswith("requests.")
        and "kubernetes.io" not in prefix
        and len(f"requests.{prefix}") <= 253
        and _SUBDOMAIN.fullmatch(prefix) is not None
        and len(part) <= 63
        and _NAME.fullmatch(part) is not None
    )


def socket_fits(name: str) -> bool:
    """A socket's path has at most 107 bytes and a NUL: sockaddr_un."""
    path = f"/var/lib/kubelet/device-plugins/kubevirt-{name.replace('/', '-')}.sock"
    return len(path.encode()) < _SOCKET_LIMIT


def _lower(character: str) -> str:
    return _LOWER[_UPPER.index(character)] if character in _UPPER else character


def _vendor_base(name: str) -> str:
    if "[" not in name:
        base = name[: name.index(" ")] if " " in name else name
        return "".join(c for c in base if c in _ALNUM)
    for start, character in enumerate(name):
        end = name.find("]", start + 1)
        if character == "[" and end > start + 1:
            inner = name[start + 1 : end]
            inner = inner[: inner.index("/")] if "/" in inner else inner
            return "".join(c for c in inner if c in _ALNUM)
    raise Panic(name)


def _product(name: str) -> str:
    while name and name[0] in _UNICODE_SPACE:
        name = name[1:]
    while name and name[-1] in _UNICODE_SPACE:
        name = name[:-1]
    product, in_space = "", False
    for character in (_TO_UPPER.get(c, c) for c in name):
        if character in _REGEXP_SPACE:
            product += "" if in_space else "_"
        elif character in "/.":
            product += "_"
        elif character in _ALNUM or character == "_":
            product += character
        in_space = character in _REGEXP_SPACE
    while product.endswith("_"):
        product = product[:-1]
    return product


def _trimmed(vendor: str, product: str, product_id: str) -> str:
    socket = f"/var/lib/kubelet/device-plugins/kubevirt-/{vendor}-{product}.sock"
    if len(socket) <= _SOCKET_LIMIT:
        return f"{vendor}/{product}"
    if "VIRTUAL_FUNCTION" in product:
        return _trimmed(vendor, product.replace("VIRTUAL_FUNCTION", "VF"), product_id)
    return f"{vendor}/{product_id}"
