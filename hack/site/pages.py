"""What mkdocs does not know of this repository: its pages outside of docs/, the order of the index, forges' anchors."""

from __future__ import annotations

import re

from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page


ROOT = Path(__file__).parents[2]
AT_THE_TOP = ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")
_SECTION = re.compile(r"^## (?P<title>.+)$|^- \[(?P<name>[^]]+)\]\((?P<page>[^)]+\.md)\)", re.MULTILINE)
_LINK = re.compile(r"(\]\()(?P<link>[^()\s]+)(?=\))")


def slug(heading: str, _separator: str) -> str:
    """The anchor that forges give a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Order the pages as the index does."""
    sections: list[dict[str, list[dict[str, str]]]] = []
    for entry in _SECTION.finditer((ROOT / "docs/index.md").read_text()):
        if entry["title"]:
            sections.append({entry["title"]: []})
        elif sections and not entry["page"].startswith(".."):
            next(iter(sections[-1].values())).append({entry["name"]: entry["page"]})
    first: list[Any] = [{"Home": "index.md"}, {"README": "README.md"}]
    config.nav = [*first, *sections, {"Project": [{name[:-3].title(): name} for name in AT_THE_TOP[1:] if _is(name)]}]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are outside of docs/."""
    for name in filter(_is, AT_THE_TOP):
        files.append(File.generated(config, name, content=(ROOT / name).read_text()))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:  # noqa: ARG001
    """Let links lead where the pages are on the site; files that are not on it are named without a link."""
    path = page.file.src_uri
    folder = ROOT if path in AT_THE_TOP else ROOT / "docs" / Path(path).parent

    def moved(match: re.Match[str]) -> str:
        link, anchor = (*match["link"].split("#", 1), "")[:2]
        if not link or "://" in link:
            return match[0]
        target = (folder / link).resolve().relative_to(ROOT)
        inside = target.relative_to("docs") if target.is_relative_to("docs") else target
        up = "../" * path.count("/")
        on_site = target.is_relative_to("docs") or str(target) in AT_THE_TOP
        return f"{match[1]}{up}{inside}{'#' + anchor if anchor else ''}" if on_site else f"{match[1]}#"

    return _LINK.sub(moved, markdown)


def _is(name: str) -> bool:
    return (ROOT / name).is_file()
