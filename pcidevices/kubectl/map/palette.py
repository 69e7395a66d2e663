"""
The colours, in pairs: light and dark.

Hues are those of Okabe and Ito, which people of any colour vision can tell apart, darkened or lightened until a
glyph on its badge, and text on everything it stands on, has a contrast of at least 4.5 (WCAG 2.2, 1.4.3).
"""

from __future__ import annotations

from typing import NamedTuple

from .state import State


class Colour(NamedTuple):
    """One colour in either scheme, as ``#rrggbb``."""

    light: str
    dark: str


PAGE = Colour("#f4f5f7", "#14171c")
CARD = Colour("#ffffff", "#1c2027")
INSET = Colour("#eef0f3", "#252a33")
LINE = Colour("#d3d8df", "#3a414d")
INK = Colour("#1a1f27", "#e9ecf1")
MUTED = Colour("#545d6b", "#a9b2c0")
FOCUS = Colour("#0b5cad", "#8ecbff")
ON_BADGE = Colour("#ffffff", "#12151a")
"""The glyph on a badge."""

BADGES = {
    State.UNCLAIMED: Colour("#00755a", "#2fc79b"),
    State.READY: Colour("#0069a8", "#56b4e9"),
    State.USED: Colour("#9a3f78", "#e39cc4"),
    State.WAITING: Colour("#b34700", "#ff9a52"),
    State.NEEDED: Colour("#5b6472", "#9aa5b5"),
    State.GONE: Colour("#1a1f27", "#f0e442"),
}

NAMED = {
    "page": PAGE,
    "card": CARD,
    "inset": INSET,
    "line": LINE,
    "ink": INK,
    "muted": MUTED,
    "focus": FOCUS,
    "on-badge": ON_BADGE,
    **{f"{state.word}-colour": colour for state, colour in BADGES.items()},
}
"""What the style sheets call them."""

_GLYPHS = {
    State.UNCLAIMED: '<circle cx="8" cy="8" r="4" fill="none" stroke="currentColor" stroke-width="2"/>',
    State.READY: '<path d="M3.8 8.4l2.9 2.9 5.5-6.4" fill="none" stroke="currentColor" stroke-width="2.2"/>',
    State.USED: '<path d="M5.4 3.6v8.8L12.4 8z" fill="currentColor"/>',
    State.WAITING: '<path d="M7 3.2h2v6H7zM7 10.8h2v2H7z" fill="currentColor"/>',
    State.NEEDED: '<path d="M4 7.2h8v5.4H4z" fill="currentColor"/>'
    '<path d="M5.6 7V5.6a2.4 2.4 0 0 1 4.8 0V7" fill="none" stroke="currentColor" stroke-width="1.6"/>',
    State.GONE: '<path d="M4.4 4.4l7.2 7.2M11.6 4.4l-7.2 7.2" fill="none" stroke="currentColor" stroke-width="2.2"/>',
}
"""A shape for each state, on 16 by 16, for eyes and printers that see no colours."""


def symbols() -> str:
    """The shapes, as symbols named ``glyph-unclaimed`` and so on, for either form of the picture to use."""
    size = 'viewBox="0 0 16 16"'
    return "".join(f'<symbol id="glyph-{state.word}" {size}>{shape}</symbol>' for state, shape in _GLYPHS.items())
