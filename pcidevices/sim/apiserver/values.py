"""What objects are made of: plain JSON values that nobody changes once they are stored."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, TypeAlias


Json: TypeAlias = Any
Object: TypeAlias = dict[str, Json]


def clone(value: Json) -> Json:
    """A copy that shares nothing changeable with *value*."""
    if isinstance(value, dict):
        return {key: clone(item) for key, item in value.items()}
    if isinstance(value, list):
        return [clone(item) for item in value]
    return value


def dig(value: Json, *keys: str) -> Json:
    """What stands at ``value[key][key]…``, or None as soon as something is missing."""
    for key in keys:
        if not isinstance(value, Mapping):
            return None
        value = value.get(key)
    return value


def now() -> str:
    """This moment, in the words of the API: RFC 3339, whole seconds, UTC."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def parsed_time(text: Json) -> datetime | None:
    """The moment a timestamp of the API names, or None where it names none."""
    if not isinstance(text, str):
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def age(text: Json) -> str:
    """A timestamp as the time gone by since, in the short form of kubectl."""
    moment = parsed_time(text)
    if moment is None:
        return "<unknown>"
    seconds = max(0, int((datetime.now(UTC) - moment).total_seconds()))
    return next(
        (_in_two_units(seconds, unit, rest) for limit, unit, rest in _AGES if seconds < limit),
        f"{seconds // 31_536_000}y",
    )


_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}
_AGES = (
    (2 * 60, "s", ""),
    (10 * 60, "m", "s"),
    (3 * 3600, "m", ""),
    (8 * 3600, "h", "m"),
    (48 * 3600, "h", ""),
    (8 * 86400, "d", "h"),
    (730 * 86400, "d", ""),
)


def _in_two_units(seconds: int, unit: str, rest: str) -> str:
    left = seconds % _UNITS[unit] // _UNITS[rest]
    return f"{seconds // _UNITS[unit]}{unit}" + (f"{left}{rest}" if rest and left else "")
