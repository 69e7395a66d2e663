"""Text cut to fit, for a drawing that cannot measure it."""

from __future__ import annotations

import unicodedata


def fitted(text: str, room: float, *, letter: float, lines: int = 1) -> list[str]:
    """
    *text* in at most so many *lines*, broken at spaces where it can be; what does not fit gives way to ``…``.

    *letter* is the width of a letter; one of East Asia takes twice as much.
    """
    fits = _letters(text, room, letter)
    if fits == len(text):
        return [text]
    if lines == 1:
        return [f"{text[: max(_letters(text, room - letter, letter), 0)]}…"]
    end = text.rfind(" ", 0, fits + 1)
    end = fits if end <= 0 else end
    return [text[:end], *fitted(text[end:].lstrip(), room, letter=letter, lines=lines - 1)]


def _letters(text: str, room: float, letter: float) -> int:
    """How many letters of *text* fit into *room*."""
    for index, character in enumerate(text):
        room -= letter * (2 if unicodedata.east_asian_width(character) in "WF" else 1)
        if room < 0:
            return index
    return len(text)
