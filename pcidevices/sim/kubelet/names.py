"""Which resource names the kubelet takes."""

from __future__ import annotations

import re


_LONGEST_DOMAIN = 244
_LONGEST_NAME = 63
_LABEL = r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?"
_DOMAIN = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_NAME = re.compile(r"[A-Za-z0-9](?:[-A-Za-z0-9_.]*[A-Za-z0-9])?")


def is_extended_resource(name: str) -> bool:
    """
    Whether it may be the name of a device plugin's resource.

    The domain has 9 characters less than others: with ``requests.`` before it, it must be a domain still.
    """
    domain, slash, rest = name.partition("/")
    return bool(
        slash
        and "kubernetes.io/" not in name
        and not name.startswith("requests.")
        and len(domain) <= _LONGEST_DOMAIN
        and len(rest) <= _LONGEST_NAME
        and _DOMAIN.fullmatch(domain)
        and _NAME.fullmatch(rest)
    )
