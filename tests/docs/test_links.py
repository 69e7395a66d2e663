"""Links lead somewhere."""

from __future__ import annotations

import os.path

import pytest

from tests.docs.pages import ROOT, Page, page, pages, slug_of


def _problem(origin: Page, link: str) -> str | None:
    if link.startswith(("https://", "http://", "mailto:")):
        return None
    name, _, anchor = link.partition("#")
    target = Page(origin.path.parent / name).path if name else origin.path
    if not target.exists():
        return f"{origin}: {link}: there is no such file"
    if anchor and anchor not in Page(target).anchors:
        return f"{origin}: {link}: there is no such heading"
    return None


@pytest.mark.parametrize("origin", pages(), ids=str)
def test_every_relative_link_and_anchor_leads_somewhere(origin: Page) -> None:
    assert [problem for link in origin.links if (problem := _problem(origin, link))] == []


def test_no_link_leads_out_of_the_repository() -> None:
    outside = [
        f"{origin}: {link}"
        for origin in pages()
        for link in origin.links
        if "://" not in link and os.path.relpath(origin.path.parent / link, ROOT).startswith("..")
    ]

    assert outside == []


def test_the_index_names_every_page_below_docs() -> None:
    index = page("docs/index.md")
    named = {(index.path.parent / link.partition("#")[0]).resolve() for link in index.links}

    assert {str(other) for other in pages() if other.path.is_relative_to(ROOT / "docs")} - {str(index)} == {
        str(other) for other in pages() if other.path.is_relative_to(ROOT / "docs") and other.path in named
    }


@pytest.mark.parametrize(
    ("heading", "anchor"),
    [
        ("What it does not do yet", "what-it-does-not-do-yet"),
        ("`list.failed`, `watch.failed`", "listfailed-watchfailed"),
        ("The view behind one's own writes", "the-view-behind-ones-own-writes"),
    ],
)
def test_a_heading_has_the_anchor_that_forges_give_it(heading: str, anchor: str) -> None:
    assert slug_of(heading) == anchor


@pytest.mark.parametrize(
    "decision", [each for each in pages() if each.path.parent == ROOT / "docs/adr"], ids=lambda each: each.path.stem
)
def test_a_decision_says_context_decision_consequences_and_what_would_change_it(decision: Page) -> None:
    headings = [line.removeprefix("## ") for line in decision.text.splitlines() if line.startswith("## ")]

    assert headings == ["Context", "Decision", "Consequences", "What would change it"]
    assert decision.text.startswith(f"# {decision.path.stem[:4]} ")
