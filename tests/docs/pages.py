"""The repository's pages: their headings, links, tables and code blocks."""

from __future__ import annotations

import re
import subprocess

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path


ROOT = Path(__file__).parents[2]

_FENCE = re.compile(
    r"^(?P<indent> *)```(?P<language>\S*)[^\n]*\n(?P<text>.*?)^(?P=indent)```\s*$", re.MULTILINE | re.DOTALL
)
_HEADING = re.compile(r"^#{1,6} (.+?)\s*$", re.MULTILINE)
_LINK = re.compile(r"\]\(([^()\s]+)\)")
_CODE = re.compile(r"`[^`\n]+`")
_BAR = re.compile(r"(?<!\\)\|")


@cache
def tracked() -> tuple[Path, ...]:
    """Every file that is or may be committed."""
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listing, cwd=ROOT, check=True, capture_output=True).stdout.decode().split("\0")
    return tuple(sorted({path for name in names if name and (path := ROOT / name).is_file()}))


@cache
def pages() -> tuple[Page, ...]:
    """Every Markdown file."""
    return tuple(Page(path) for path in tracked() if path.suffix == ".md")


def page(name: str) -> Page:
    """The page with this path, seen from the root."""
    return Page(ROOT / name)


@dataclass(frozen=True)
class Block:
    """A fenced code block."""

    language: str
    text: str


@dataclass(frozen=True)
class Page:
    """One Markdown file."""

    path: Path

    def __str__(self) -> str:
        return str(self.path.relative_to(ROOT))

    @property
    def text(self) -> str:
        """All of it."""
        return self.path.read_text()

    @property
    def prose(self) -> str:
        """All but the code blocks."""
        return _FENCE.sub("", self.text)

    @property
    def blocks(self) -> list[Block]:
        """The code blocks, in order."""
        return [Block(match["language"], match["text"]) for match in _FENCE.finditer(self.text)]

    @property
    def links(self) -> list[str]:
        """Where the page points to, as written."""
        return _LINK.findall(_CODE.sub("", self.prose))

    @property
    def anchors(self) -> set[str]:
        """What can stand after ``#`` in a link to the page."""
        seen: Counter[str] = Counter()
        found: set[str] = set()
        for heading in _HEADING.findall(self.prose):
            slug = slug_of(heading)
            found.add(f"{slug}-{seen[slug]}" if seen[slug] else slug)
            seen[slug] += 1
        return found

    def section(self, heading: str) -> str:
        """What stands below a heading, up to the next of its rank or higher."""
        level, _, _ = heading.partition(" ")
        lines = iter(self.text.splitlines())
        assert any(line == heading for line in lines), f"{self} has no {heading!r}"
        below = []
        for line in lines:
            marks = line.partition(" ")[0]
            if marks and set(marks) == {"#"} and len(marks) <= len(level):
                break
            below.append(line)
        return "\n".join(below)


def slug_of(heading: str) -> str:
    """The anchor that a heading gets: lower case, without punctuation, with dashes for spaces."""
    text = re.sub(r"\]\([^)]*\)", "]", heading)
    return re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-")


def rows(text: str) -> Iterator[list[str]]:
    """The rows of all tables in *text*, without their heads."""
    lines = text.splitlines()
    for before, line in zip(["", *lines], lines, strict=False):
        if line.startswith("|---") or not line.startswith("|") or not before.startswith("|"):
            continue
        yield [cell.strip().replace("\\|", "|") for cell in _BAR.split(line)[1:-1]]


def code(cell: str) -> list[str]:
    """What stands in backticks in a cell."""
    return [text.strip("`") for text in _CODE.findall(cell)]
