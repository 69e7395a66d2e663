"""The picture as one page of HTML that needs nothing else: no network, no server."""

from __future__ import annotations

import base64
import hashlib
import json

from collections.abc import Iterator
from importlib.resources import files
from string import Template

from .model import counts
from .palette import NAMED, symbols
from .state import LEGEND, State
from .text import about, amount, escaped, tally
from .values import LARGE, Group, Node, Numa, Picture, Tile


def as_html(drawn: Picture) -> str:
    """
    The page.

    All of it but the filter, the details and the choice of colours works without its script, and the browser runs
    no script but that one: its digest is in the page's policy.
    """
    parts = files(__package__)
    style = f":root {{ {_variables()} }}\n{parts.joinpath('page.css').read_text(encoding='utf-8')}"
    script = parts.joinpath("page.js").read_text(encoding="utf-8")
    tiles = list(drawn.tiles)
    return Template(parts.joinpath("page.html").read_text(encoding="utf-8")).substitute(
        style=style,
        style_hash=_digest(style),
        script=script,
        script_hash=_digest(script),
        glyphs=f'<svg hidden aria-hidden="true">{symbols()}</svg>',
        about=escaped(about(drawn)),
        shown=f"{len(tiles)} of {len(tiles)} devices shown",
        legend="".join(_legend(tiles)),
        nodes="\n".join(_node(node) for node in drawn.nodes) or '<p class="nothing">There is no device.</p>',
        details=_embedded([tile.rows for tile in tiles]),
    )


def _variables() -> str:
    return " ".join(f"--{name}: light-dark({colour.light}, {colour.dark});" for name, colour in NAMED.items())


def _badge(state: State) -> str:
    return f'<svg class="badge {state.word}" aria-hidden="true"><use href="#glyph-{state.word}"/></svg>'


def _legend(tiles: list[Tile]) -> Iterator[str]:
    for state, number in counts(tiles).items():
        yield (
            f'<button type="button" class="{state.word}" value="{state.word}" aria-pressed="true">'
            f"{_badge(state)}<span>{state.label}</span> <b>{number}</b></button>\n"
        )


def _node(node: Node) -> str:
    tiles = list(node.tiles)
    return (
        f'<section class="node"><h2>{escaped(node.name)} '
        f"<small>{amount(len(tiles), 'device')}: {tally(tiles)}</small></h2>\n{_bar(tiles)}"
        f'<div class="numas">{"".join(_numa(numa) for numa in node.numas)}</div></section>'
    )


def _bar(tiles: list[Tile]) -> str:
    """How the states share the node, at a glance; the line above says it in words."""
    counted, left, parts = counts(tiles), 0, []
    for state in LEGEND:
        parts.append(f'<rect class="{state.word}" x="{left}" width="{counted[state]}" height="1"/>')
        left += counted[state]
    shape = f'viewBox="0 0 {left} 1" preserveAspectRatio="none"'
    return f'<svg class="bar" {shape} aria-hidden="true">{"".join(parts)}</svg>'


def _numa(numa: Numa) -> str:
    groups = "".join(_group(group) for group in numa.groups)
    return f'<div class="numa"><h3>{numa.label}</h3><div class="groups">{groups}</div></div>\n'


def _group(group: Group) -> str:
    label = "No IOMMU group" if group.number is None else f"IOMMU group {escaped(group.number)}"
    large = " large" if len(group.tiles) > LARGE else ""
    return (
        f'<div class="group{large}" role="group" aria-label="{label}">'
        f'<p aria-hidden="true"><small>IOMMU</small>{escaped(group.number or "none")}</p>'
        f"<ul>{''.join(_device(tile) for tile in group.tiles)}</ul></div>\n"
    )


def _device(tile: Tile) -> str:
    """A button, whose accessible name is all that stands on it, and the state in words."""
    state = tile.state
    return (
        f'<li><button type="button" class="device {state.word}" name="{escaped(tile.name)}" value="{state.word}" '
        f'aria-haspopup="dialog">{_badge(state)}<span class="address">{escaped(tile.address)}</span> '
        f'<span class="driver">{escaped(tile.driver)}</span> <span class="title">{escaped(tile.title)}</span> '
        f'<span class="note"><i class="unseen">{state.label}: </i>{escaped(tile.note)}</span></button></li>\n'
    )


def _embedded(value: object) -> str:
    """JSON that ends no script element, whatever is in it."""
    return json.dumps(value, ensure_ascii=True, separators=(",", ":")).replace("<", r"\u003c")


def _digest(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
