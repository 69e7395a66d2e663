"""Names as an object on the API server can hold them."""

from __future__ import annotations


def legible(text: str) -> str:
    """
    *text* with � for each byte of it that is no UTF-8.

    The kernel takes almost any bytes for the name of an interface or a mount point, and Python keeps those as
    surrogates (PEP 383), which no JSON can say. It is for what is told; names to look up stay as they are.
    """
    return text.encode(errors="surrogateescape").decode(errors="replace")
