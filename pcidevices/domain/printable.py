"""Text that others wrote, for a terminal."""

from __future__ import annotations


def plain(text: str) -> str:
    """*text* without what would move the cursor."""
    return "".join(character if character.isprintable() else "?" for character in text)
