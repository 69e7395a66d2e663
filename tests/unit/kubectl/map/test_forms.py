"""The page and the drawing: whole, alike, and harmless whatever the objects say."""

from __future__ import annotations

import html.parser
import json
import re
import xml.etree.ElementTree as ET

from collections.abc import Callable

import pytest

from hypothesis import given, settings
from hypothesis import strategies as st

from pcidevices.kubectl.map.drawing import as_svg
from pcidevices.kubectl.map.fit import fitted
from pcidevices.kubectl.map.layout import DEVICE, TILE, WIDTH, node_areas
from pcidevices.kubectl.map.model import picture
from pcidevices.kubectl.map.page import as_html
from pcidevices.kubectl.map.values import Picture
from tests.support.cluster_drawn import HOSTILE, a_drawn_claim, a_drawn_cluster, a_drawn_device


Form = Callable[[Picture], str]
FORMS = pytest.mark.parametrize("form", [as_html, as_svg])
SVG = "{http://www.w3.org/2000/svg}"


class Seen(html.parser.HTMLParser):
    """What a reader of HTML sees: elements with their attributes, and text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


@pytest.fixture(scope="module")
def cluster() -> Picture:
    return picture(*a_drawn_cluster(), taken="2026-01-01 12:00 UTC")


def a_hostile_picture(text: str) -> Picture:
    """A device all of whose texts are *text*."""
    device = a_drawn_device(
        node=text, description=text, kernel_driver_in_use=text, iommu_group=text, in_use_by=(text,), resource_name=text
    )
    return picture([device], [a_drawn_claim(node=text, reason=text, message=text)], taken=text, selection=text)


def test_the_page_has_a_button_for_each_device_and_a_heading_for_each_node(cluster: Picture) -> None:
    seen = Seen(as_html(cluster)).elements

    assert [at["name"] for tag, at in seen if tag == "button" and "device" in (at.get("class") or "").split()] == [
        tile.name for tile in cluster.tiles
    ]
    assert sum(tag == "section" for tag, _ in seen) == len(cluster.nodes)


def test_the_drawing_has_all_devices_and_their_details(cluster: Picture) -> None:
    titles = [title.text for title in ET.fromstring(as_svg(cluster)).iter(f"{SVG}title")]

    assert len(titles) == 60
    assert all(f"Object: {tile.name}" in (title or "") for tile, title in zip(cluster.tiles, titles, strict=True))


@FORMS
def test_either_form_stands_alone(form: Form, cluster: Picture) -> None:
    """No address of anything else but the name of SVG itself."""
    assert set(re.findall(r"https?://[^\"' ]+", form(cluster))) <= {"http://www.w3.org/2000/svg"}
    assert "url(" not in form(cluster).replace("url(#text)", "")


@FORMS
@pytest.mark.parametrize(
    "text", ["<script>alert(1)</script>", "'\"><img src=x onerror=alert(1)>", HOSTILE, "]]>", "\x00\x1b"]
)
def test_no_text_of_the_cluster_becomes_an_element(form: Form, text: str) -> None:
    hostile, harmless = (form(a_hostile_picture(given)) for given in (text, "harmless"))

    kinds = [{(tag, frozenset(attributes)) for tag, attributes in Seen(page).elements} for page in (hostile, harmless)]
    assert kinds[0] == kinds[1]


@FORMS
@settings(max_examples=50, deadline=None)
@given(text=st.text(min_size=1))
def test_any_text_gives_a_whole_document(form: Form, text: str) -> None:
    written = form(a_hostile_picture(text))

    if form is as_svg:
        ET.fromstring(written.encode())
    else:
        told = written.split('type="application/json">')[1].split("</script>")[0]
        assert ["Driver", text] in json.loads(told)[0]


def test_nothing_to_draw_is_said() -> None:
    empty = picture([], [], taken="now")

    assert "There is no device." in as_html(empty)
    assert "There is no device." in "".join(ET.fromstring(as_svg(empty)).itertext())


def test_no_two_devices_of_the_drawing_overlap(cluster: Picture) -> None:
    boxes = [box for area in node_areas(cluster.nodes, 0) for numa in area.numas for box in numa.boxes]
    spots = {(box.x, box.y + row) for box in boxes for row in range(box.height)}

    assert sum(box.height for box in boxes) == len(spots)
    assert max(x for x, _ in spots) + DEVICE < WIDTH
    assert all(box.height >= TILE for box in boxes)


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("short", ["short"]),
        ("two words", ["two", "words"]),
        ("unbreakable", ["unbrea", "kable"]),
        ("many words that do not fit", ["many", "words…"]),
        ("図面図面図面図面", ["図面図", "面図…"]),
        ("", [""]),
    ],
)
def test_text_is_broken_at_spaces_and_cut_at_the_end(text: str, lines: list[str]) -> None:
    assert fitted(text, 6, letter=1, lines=2) == lines
