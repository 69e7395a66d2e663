"""The picture as SVG: nothing to click, no script, for documents and for printing."""

from __future__ import annotations

from collections.abc import Iterator

from .fit import fitted
from .layout import COLUMN, DEVICE, GAP, NODE_HEAD, PAD, STRIP, TILE, WIDTH, Box, NodeArea, NumaArea, node_areas
from .model import counts
from .palette import NAMED, symbols
from .state import LEGEND, SPEAKING
from .text import about, amount, escaped, tally
from .values import Picture, Tile


_HEAD = 122
_TEXT = DEVICE - 48
"""What a device has for its text, in units of the drawing."""
_BAR_HEIGHT = 6
_LETTER, _NOTE_LETTER, _ADDRESS_LETTER, _DRIVER_LETTER = 7.1, 6.5, 7.6, 6.8
"""How wide a letter is at most, on average, in any of the fonts that may be there."""

_STYLE = """
text { font: 12px system-ui, sans-serif; fill: var(ink) }
.muted { fill: var(muted); font-size: 11px; font-weight: 400 }
.strong { font-weight: 600; font-size: 17px }
.title { font-weight: 600; font-size: 24px }
.mono { font: 600 12.5px ui-monospace, 'DejaVu Sans Mono', Menlo, monospace }
.driver { font: 11px ui-monospace, 'DejaVu Sans Mono', Menlo, monospace; fill: var(muted) }
.page { fill: var(page) }
.card { fill: var(card); stroke: var(line) }
.inset { fill: var(inset) }
.line { stroke: var(line) }
.glyph { color: var(on-badge) }
"""
_STATE_STYLE = ".{word} {{ fill: var({word}-colour) }}\n"


def as_svg(drawn: Picture) -> str:
    """The drawing; a browser shows it in the colours that its reader prefers, everything else in the light ones."""
    areas = list(node_areas(drawn.nodes, _HEAD))
    height = areas[-1].y + areas[-1].height + PAD if areas else _HEAD + PAD
    nothing = f'<text x="{PAD}" y="{_HEAD}">There is no device.</text>'
    body = "".join(part for area in areas for part in _node(area)) or nothing
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
        f'role="group" aria-label="PCI devices">\n<style>{_style()}</style>\n'
        f'<defs>{symbols()}<clipPath id="text"><rect width="{DEVICE}" height="{TILE}"/></clipPath></defs>\n'
        f'<rect class="page" width="100%" height="100%"/>\n'
        f'<text class="title" x="{PAD}" y="42">PCI devices</text><text class="muted" x="{PAD}" y="64">'
        f"{escaped(about(drawn))}</text>\n{''.join(_legend(drawn))}{body}</svg>\n"
    )


def _style() -> str:
    template = _STYLE + "".join(_STATE_STYLE.format(word=state.word) for state in LEGEND)
    light = dark = template
    for name, colour in NAMED.items():
        light, dark = light.replace(f"var({name})", colour.light), dark.replace(f"var({name})", colour.dark)
    return f"{light}@media (prefers-color-scheme: dark) {{{dark}}}"


def _badge(word: str, x: int, y: int) -> str:
    return (
        f'<rect class="{word}" x="{x}" y="{y}" width="22" height="22" rx="6"/>'
        f'<use class="glyph" href="#glyph-{word}" x="{x + 3}" y="{y + 3}" width="16" height="16"/>'
    )


def _legend(drawn: Picture) -> Iterator[str]:
    x = PAD
    for state, number in counts(drawn.tiles).items():
        label = f"{state.label}: {number}"
        yield f'{_badge(state.word, x, 82)}<text x="{x + 30}" y="98">{label}</text>\n'
        x += 62 + 7 * len(label)


def _node(area: NodeArea) -> Iterator[str]:
    y, tiles = area.y, list(area.node.tiles)
    yield f'<rect class="card" x="{PAD}" y="{y}" width="{WIDTH - 2 * PAD}" height="{area.height}" rx="14"/>\n'
    yield f'<text class="strong" x="{2 * PAD}" y="{y + 30}">{escaped(area.node.name)}<tspan class="muted" dx="12">'
    yield f"{amount(len(tiles), 'device')}: {tally(tiles)}</tspan></text>\n"
    x, unit = 2.0 * PAD, (WIDTH - 4 * PAD) / len(tiles)
    for state, number in counts(tiles).items():
        if number:
            size = f'width="{number * unit:.1f}" height="{_BAR_HEIGHT}"'
            yield f'<rect class="{state.word}" x="{x:.1f}" y="{y + NODE_HEAD - 16}" {size}/>'
        x += number * unit
    for numa in area.numas:
        yield from _numa(numa)


def _numa(area: NumaArea) -> Iterator[str]:
    x, y = area.x, area.y
    yield f'\n<text class="muted" x="{x}" y="{y + 18}">{area.numa.label}</text>'
    yield f'<path class="line" d="M{x} {y + 25.5}h{area.width}"/>\n'
    for box in area.boxes:
        yield from _box(box)


def _box(box: Box) -> Iterator[str]:
    x, y = box.x, box.y
    number = box.group.number
    yield f'<rect class="inset" x="{x}" y="{y}" width="{COLUMN - GAP}" height="{box.height}" rx="10"/>'
    yield f'<text class="driver" x="{x + STRIP // 2}" y="{y + 22}" text-anchor="middle">IOMMU</text>'
    label = "".join(fitted(number or "none", STRIP - GAP, letter=_ADDRESS_LETTER))
    yield f'<text class="mono" x="{x + STRIP // 2}" y="{y + 38}" text-anchor="middle">{escaped(label)}</text>\n'
    for index, tile in enumerate(box.group.tiles):
        yield _device(tile, x + STRIP, y + GAP // 2 + index * TILE)


def _device(tile: Tile, x: int, y: int) -> str:
    told = escaped("\n".join(f"{label}: {text}" for label, text in tile.rows))
    driver = fitted(tile.driver, _TEXT - _ADDRESS_LETTER * len(tile.address), letter=_DRIVER_LETTER)
    title = fitted(tile.title, _TEXT, letter=_LETTER, lines=2)
    note = fitted(tile.note, _TEXT, letter=_NOTE_LETTER)
    lines = "".join(f'<tspan x="40" y="{34 + 15 * row}">{escaped(line)}</tspan>' for row, line in enumerate(title))
    word = tile.state.word
    spoken = f" {word}" if tile.state in SPEAKING else ""
    return (
        f'<g role="img" transform="translate({x} {y})" clip-path="url(#text)"><title>{told}</title>'
        f'<rect class="card" x=".5" y="2" width="{DEVICE - 1}" height="{TILE - 4}" rx="7"/>'
        f'<rect class="{word}" y="4" width="4" height="{TILE - 8}" rx="2"/>{_badge(word, 10, 8)}'
        f'<text class="mono" x="40" y="18">{escaped(tile.address)}</text>'
        f'<text class="driver" x="{DEVICE - 8}" y="18" text-anchor="end">{escaped("".join(driver))}</text>'
        f"<text>{lines}</text>"
        f'<text class="muted{spoken}" x="40" y="{34 + 15 * len(title)}">{escaped("".join(note))}</text></g>\n'
    )
