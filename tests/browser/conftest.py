"""One browser for all tests here, and the page of a cluster with every state in it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from pcidevices.kubectl.map.drawing import as_svg
from pcidevices.kubectl.map.model import picture
from pcidevices.kubectl.map.page import as_html
from tests.support.chromium import Tab, chromium, program
from tests.support.cluster_drawn import a_drawn_cluster


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
async def tab(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Tab]:
    """A page of a real browser, the same for all tests."""
    if program() is None:
        pytest.skip("no chromium: apt-get install chromium")
    async with chromium(tmp_path_factory.mktemp("profile")) as tab:
        yield tab


@pytest.fixture(scope="session")
def forms(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The page and the drawing, as files."""
    folder, drawn = tmp_path_factory.mktemp("map"), picture(*a_drawn_cluster(), taken="2026-01-01 12:00 UTC")
    written = {"html": as_html(drawn), "svg": as_svg(drawn)}
    for ending, text in written.items():
        (folder / f"map.{ending}").write_text(text, encoding="utf-8")
    return {ending: folder / f"map.{ending}" for ending in written}


@pytest.fixture
async def page(tab: Tab, forms: dict[str, Path]) -> Tab:
    """The page, freshly opened, in light colours."""
    await tab.media()
    await tab.open(forms["html"])
    return tab
