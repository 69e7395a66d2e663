"""Timestamps that are told to the microsecond, and that a cluster takes in no other form."""

from __future__ import annotations

import json
import re

from collections.abc import Iterator

from .errors import Cause
from .values import Object, dig


_MICROTIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}(Z|[+-]\d\d:\d\d)")


def microtime_causes(obj: Object, *paths: tuple[str, ...]) -> Iterator[Cause]:
    """Which of these fields are there, and not in the form ``2006-01-02T15:04:05.000000Z``."""
    for path in paths:
        text = dig(obj, *path)
        if text is not None and not _MICROTIME.fullmatch(text):
            where = ".".join(path)
            rule = f"Invalid value: {json.dumps(text)}: {where} must be told to the microsecond"
            yield Cause("FieldValueTypeInvalid", where, rule)
