"""The map as a person meets it: with eyes, hands, a keyboard alone, a screen reader, a printer."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.chromium import Tab
from tests.support.cluster_drawn import HOSTILE


SHOWN = "[...document.querySelectorAll('.device')].filter((tile) => tile.checkVisibility()).length"
STATUS = "document.getElementById('shown').textContent"
TOLD = "!document.getElementById('tip').hidden && document.getElementById('tip').innerText"
FOCUSED = "document.activeElement.name"

# The colours of each text that is seen, and of what is painted behind it.
CONTRASTS = """
(() => {
  const parts = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const luminance = (colour) => {
    const [red, green, blue] = parts(colour).slice(0, 3).map((part) =>
      part / 255 <= 0.04045 ? part / 255 / 12.92 : ((part / 255 + 0.055) / 1.055) ** 2.4);
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = getComputedStyle(at).backgroundColor;
      if ((parts(colour)[3] ?? 1) === 1) return colour;
    }
    throw new Error(`nothing behind ${element.outerHTML}`);
  };
  const shown = [...document.querySelectorAll("body *")].filter((element) => element.checkVisibility());
  const written = shown.filter((element) => element.matches("input, svg.badge") ||
    [...element.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.data.trim()));
  return written.map((element) => {
    const [one, other] = [luminance(getComputedStyle(element).color), luminance(behind(element))].sort((a, b) => b - a);
    return [element.outerHTML.slice(0, 80), (one + 0.05) / (other + 0.05)];
  });
})()
"""


async def filtered(page: Tab, text: str) -> None:
    """Type into the filter, reached by its key."""
    await page.press("/")
    await page.write(text)


async def test_all_devices_are_shown_and_counted(page: Tab) -> None:
    assert await page.value(SHOWN) == 60
    assert await page.value(STATUS) == "60 of 60 devices shown"


@pytest.mark.parametrize(
    ("words", "count"),
    [
        ("gpu-1", 20),
        ("0000:c1:00.0", 1),
        ("VFIO-PCI", 10),
        ("rtx vfio-pci", 6),
        ("storage gone", 1),
        ("blender-x7k2p gpu-2", 2),
        ("GroupNotViable", 2),
        ("alice@example.org", 13),
        ("nothing like that", 0),
    ],
)
async def test_the_filter_shows_what_has_all_words_and_says_how_many(page: Tab, words: str, count: int) -> None:
    await filtered(page, words)

    assert await page.value(SHOWN) == count
    assert await page.value(STATUS) == f"{count} of 60 devices shown"


async def test_nodes_and_groups_without_a_match_go_too(page: Tab) -> None:
    await filtered(page, "gpu-2-000017000")

    for kind in ("node", "numa", "group"):
        assert await page.value(f"document.querySelectorAll('.{kind}:not([hidden])').length") == 1


async def test_when_nothing_matches_one_button_brings_all_back(page: Tab) -> None:
    await filtered(page, "nothing like that")
    await page.click("#everything")

    assert await page.value(STATUS) == "60 of 60 devices shown"


async def test_escape_empties_the_filter(page: Tab) -> None:
    await filtered(page, "gpu-1")
    await page.press("Escape")

    assert await page.value(STATUS) == "60 of 60 devices shown"


async def test_the_legend_hides_a_state_and_shows_it_again(page: Tab) -> None:
    await page.click(".legend [value=unclaimed]")
    hidden = await page.value(SHOWN)
    pressed = await page.value("document.querySelector('.legend [value=unclaimed]').getAttribute('aria-pressed')")
    await page.click(".legend [value=unclaimed]")

    count = int(await page.value("document.querySelector('.legend [value=unclaimed] b').textContent"))
    assert (hidden, pressed) == (60 - count, "false")
    assert await page.value(SHOWN) == 60


async def test_the_pointer_brings_the_details_and_takes_them_away(page: Tab) -> None:
    await page.hover("[name=gpu-1-0000b1000]")
    await page.until(TOLD)
    told = await page.value(TOLD)
    await page.hover("h1")
    await page.until(f"!({TOLD})")

    assert "IOMMU group 22 is shared: 0000:b1:00.1 is on snd_hda_intel" in told


async def test_the_details_stay_while_the_pointer_is_on_them(page: Tab) -> None:
    await page.hover("[name=gpu-1-0000b1000]")
    await page.until(TOLD)
    await page.hover("#tip")

    assert await page.value(TOLD)


async def test_the_focus_brings_the_details_and_escape_takes_them_away(page: Tab) -> None:
    await page.value("document.querySelector('[name=gpu-1-0000b1000]').focus()")
    told, described = await page.value(TOLD), await page.value("document.activeElement.ariaDescribedByElements[0].id")
    await page.press("Escape")

    assert "GroupNotViable" in told
    assert described == "tip"
    assert not await page.value(TOLD)


async def test_the_details_never_leave_the_window(page: Tab) -> None:
    outside = await page.value("""
      [...document.querySelectorAll(".device")].filter((tile) => {
        tile.focus();
        const box = document.getElementById("tip").getBoundingClientRect();
        return box.left < 0 || box.top < 0 || box.right > innerWidth || box.bottom > innerHeight;
      }).map((tile) => tile.name)""")

    assert outside == []


async def test_tab_goes_from_node_to_node_and_the_arrows_from_device_to_device(page: Tab) -> None:
    await page.value("document.querySelector('[name=gpu-1-000000140]').focus()")
    walked = []
    for key in ("ArrowDown", "ArrowDown", "ArrowUp", "ArrowRight", "ArrowLeft", "End", "Home", "Tab", "Tab"):
        await page.press(key)
        walked.append(await page.value(FOCUSED))

    down, further, up, right, left, end, home, second, third = walked
    assert (down, further, up) == ("gpu-1-0000001f0", "gpu-1-0000001f2", "gpu-1-0000001f0")
    assert right not in {up, ""}
    assert left
    assert (end, home) == ("gpu-1-000086004", "gpu-1-000000140")
    assert (second, third) == ("gpu-2-000000140", "storage-10-000000140")


async def test_the_arrows_reach_every_device(page: Tab) -> None:
    """A walk over all four arrows from the first one on."""
    reached = await page.value("""
      (() => {
        const [seen, todo] = [new Set(), [document.querySelector(".device")]];
        while (todo.length) {
          const tile = todo.pop();
          if (seen.has(tile)) continue;
          seen.add(tile);
          for (const key of ["ArrowUp", "ArrowDown", "ArrowLeft", "ArrowRight"]) {
            tile.focus();
            tile.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
            todo.push(document.activeElement);
          }
        }
        return seen.size;
      })()""")

    assert reached == 60


async def test_tab_finds_what_the_filter_left(page: Tab) -> None:
    await filtered(page, "0000:c1:00.0")
    for _ in range(8):
        await page.press("Tab")

    assert await page.value(FOCUSED) == "storage-10-0000c1000"


async def test_enter_opens_the_details_and_escape_gives_the_focus_back(page: Tab) -> None:
    await page.value("document.querySelector('[name=gpu-1-000017000]').focus()")
    await page.press("Enter")
    title = await page.value("document.querySelector('dialog[open] h2').textContent")
    told = await page.value("document.querySelector('dialog[open]').innerText")
    await page.press("Escape")
    await page.until("!document.querySelector('dialog[open]')")

    assert title == "gpu-1-000017000"
    assert "render/virt-launcher-blender-x7k2p" in told
    assert "kubectl pci describe gpu-1-000017000" in told
    assert await page.value(FOCUSED) == "gpu-1-000017000"


async def test_a_click_opens_the_details(page: Tab) -> None:
    await page.click("[name=gpu-1-000017000]")

    assert await page.value("document.querySelector('dialog[open] h2').textContent") == "gpu-1-000017000"


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_every_text_can_be_read(page: Tab, scheme: str) -> None:
    await page.media(scheme=scheme)
    await page.value("document.querySelector('.device.waiting').focus()")
    measured = await page.value(CONTRASTS)

    assert len(measured) > 300
    assert [entry for entry in measured if entry[1] < 4.5] == []


async def test_the_colours_follow_the_system_until_a_person_chooses(page: Tab) -> None:
    ground = "getComputedStyle(document.body).backgroundColor"
    light = await page.value(ground)
    await page.media(scheme="dark")
    dark = await page.value(ground)
    await page.click("#scheme")

    assert light != dark
    assert await page.value(ground) == light
    assert await page.value("document.getElementById('scheme').textContent") == "Dark colours"


async def test_paper_gets_light_colours_and_no_controls(page: Tab) -> None:
    light = await page.value("getComputedStyle(document.querySelector('.device')).backgroundColor")
    await page.media(scheme="dark", medium="print")

    assert await page.value("getComputedStyle(document.querySelector('.device')).backgroundColor") == light
    assert await page.value("document.querySelector('.tools').checkVisibility()") is False
    assert await page.value(SHOWN) == 60


async def test_a_screen_reader_hears_every_device_with_its_state(page: Tab) -> None:
    tree = (await page.call("Accessibility.getFullAXTree"))["nodes"]
    heard = [(node["role"]["value"], node.get("name", {}).get("value", "")) for node in tree if not node.get("ignored")]
    buttons = [name for role, name in heard if role == "button"]

    assert all(name.strip() for name in buttons)
    first = "0000:b1:00.0 vfio-pci NVIDIA AD102 [GeForce RTX 4090] Claimed but not Ready: GroupNotViable"
    assert buttons.count(first) == 2
    assert sum(name.startswith(("0000:", "10000:")) for name in buttons) == 60
    assert {name.split(" ")[0] for role, name in heard if role == "heading"} >= {"PCI", "gpu-1", "gpu-2", "storage-10"}
    assert ("searchbox", "Filter devices") in heard
    assert ("group", "IOMMU group 22") in heard
    assert [role for role, _ in heard].count("status") == 1


async def test_a_phone_needs_no_sideways_scrolling(tab: Tab, forms: dict[str, Path]) -> None:
    await tab.open(forms["html"], width=320, height=640)

    assert await tab.value("document.documentElement.scrollWidth") <= 320
    assert await tab.value(SHOWN) == 60


async def test_hostile_text_is_only_text(page: Tab) -> None:
    await filtered(page, "nvme 10000:e1:00.0")
    await page.click("[name=storage-10-10000e1000]")

    assert await page.value("document.querySelectorAll('script').length") == 2
    assert HOSTILE in await page.value("document.querySelector('dialog[open]').textContent")


@pytest.mark.parametrize("form", ["html", "svg"])
async def test_it_asks_nobody_for_anything_and_complains_of_nothing(
    tab: Tab, forms: dict[str, Path], form: str
) -> None:
    await tab.open(forms[form])
    if form == "html":
        await filtered(tab, "gpu-1")
        await tab.click("[name=gpu-1-000017000]")
        await tab.press("Escape")
    methods = [event["method"] for event in tab.events]
    asked = [event["params"]["request"]["url"] for event in tab.events if "requestWillBeSent" in event["method"]]

    assert [url for url in asked if not url.startswith(forms[form].as_uri())] == []
    assert {"Log.entryAdded", "Runtime.exceptionThrown", "Runtime.consoleAPICalled"}.isdisjoint(methods)


async def test_the_drawing_shows_all_devices_in_the_colours_of_the_system(tab: Tab, forms: dict[str, Path]) -> None:
    await tab.open(forms["svg"])
    light = await tab.value("getComputedStyle(document.querySelector('.page')).fill")
    await tab.media(scheme="dark")

    assert await tab.value("document.querySelectorAll('g[role=img] > title').length") == 60
    assert await tab.value("getComputedStyle(document.querySelector('.page')).fill") != light


async def test_no_text_of_the_drawing_is_wider_than_its_device(tab: Tab, forms: dict[str, Path]) -> None:
    await tab.open(forms["svg"])
    wide = await tab.value("""
      [...document.querySelectorAll("g[role=img]")].flatMap((tile) => {
        const edge = tile.querySelector(".card").getBoundingClientRect().right;
        return [...tile.querySelectorAll("text")].filter((text) => text.getBoundingClientRect().right > edge + 1);
      }).map((text) => text.textContent)""")

    assert wide == []


@pytest.mark.parametrize("width", [320, 794, 1280, 2560])
async def test_no_address_is_ever_cut(tab: Tab, forms: dict[str, Path], width: int) -> None:
    await tab.open(forms["html"], width=width)
    cut = await tab.value("""
      [...document.querySelectorAll(".address")].filter((text) => text.scrollWidth > text.clientWidth)
        .map((text) => text.textContent)""")

    assert cut == []
