"""From the text that a person gives to a value; each raises ValueError with a sentence for that person."""

from __future__ import annotations

import re

from pathlib import Path


_TIME = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h)?")
_UNITS = {"ms": 0.001, "s": 1.0, None: 1.0, "m": 60.0, "h": 3600.0}
_NODE_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_HOST = re.compile(r"\[([0-9A-Fa-f:.]+)\]|([^\[\]:]*)")
_NODE_NAME_LIMIT = 239  # the name of an object has 253 characters, and an address takes some


def seconds(text: str) -> float:
    """A time such as ``300``, ``90s``, ``5m`` or ``1h``, in seconds; above zero."""
    match = _TIME.fullmatch(text)
    if match is None or float(match[1]) <= 0:
        raise ValueError(f"{text!r} is no time: 300, 90s, 5m, 1h")
    return float(match[1]) * _UNITS[match[2]]


def positive(text: str) -> float:
    """A number above zero."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise ValueError(f"{text!r} is no number above zero")
    return value


def count(text: str) -> int:
    """A whole number above zero."""
    if not text.isdecimal() or int(text) == 0:
        raise ValueError(f"{text!r} is no whole number above zero")
    return int(text)


def some_path(text: str) -> Path:
    """A path; nothing is none, and never the working directory."""
    if not text:
        raise ValueError("there is no path in ''")
    return Path(text)


def existing_file(text: str) -> Path:
    """A file that is there."""
    path = Path(text)
    if not path.is_file():
        raise ValueError(f"there is no file {text}")
    return path


def node_name(text: str) -> str:
    """The name of a Node object: a DNS subdomain (RFC 1123)."""
    if not _NODE_NAME.fullmatch(text) or len(text) > _NODE_NAME_LIMIT:
        raise ValueError(
            f"{text!r} is no node name: lower-case letters, digits, '-' and '.', at most {_NODE_NAME_LIMIT}"
        )
    return text


def namespaced(text: str) -> tuple[str, str]:
    """``NAMESPACE/NAME`` of an object."""
    namespace, slash, name = text.partition("/")
    if not slash or not _LABEL.fullmatch(namespace) or not _NODE_NAME.fullmatch(name):
        raise ValueError(f"{text!r} is not NAMESPACE/NAME, such as kubevirt/kubevirt")
    return namespace, name


def host_and_port(text: str) -> tuple[str, int]:
    """``HOST:PORT``; the host is empty where all addresses are meant, and an IPv6 address stands in brackets."""
    host, colon, port = text.rpartition(":")
    match = _HOST.fullmatch(host)
    if not match or not colon or not port.isdecimal() or int(port) >= 1 << 16:
        raise ValueError(f"{text!r} is not HOST:PORT, such as 127.0.0.1:8080, or :8080 for all addresses")
    return match[1] or match[2] or "", int(port)


def switch(text: str) -> bool:
    """``true`` or ``false`` in a variable."""
    if text.lower() not in {"true", "false", "1", "0", "yes", "no"}:
        raise ValueError(f"{text!r} is neither true nor false")
    return text.lower() in {"true", "1", "yes"}
