"""Text as Go's %q writes it."""

from __future__ import annotations

import json


def quoted(text: str) -> str:
    """In double quotes; what is not plain ASCII is written as JSON would, which is near enough."""
    return json.dumps(text)
