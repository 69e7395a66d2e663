"""How long a person is willing to wait, as kubectl spells it."""

from __future__ import annotations

import argparse
import re


_PARTS = re.compile(r"(\d+(?:\.\d+)?)(ms|h|m|s)")
_SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}


def duration(text: str) -> float:
    """Seconds: ``90s``, ``1m30s``, ``2h``; a bare number is seconds."""
    if re.fullmatch(r"\d+(\.\d+)?", text):
        return float(text)
    parts = _PARTS.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise argparse.ArgumentTypeError(f"{text!r} is no time: 30s, 1m30s, 2h")
    return sum(float(number) * _SECONDS[unit] for number, unit in parts)
