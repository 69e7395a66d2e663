"""What a page types, and what it shows as the answer."""

from __future__ import annotations

import re

from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.docs.pages import Page


PROMPT = "$ "
MORE = "…"
"""As a line: more that the page leaves out. In a line: what is another each time."""
_HEREDOC = re.compile(r"<<(\w+)$")


@dataclass(slots=True)
class Call:
    """A command, of several lines where it feeds another, and the lines of its answer."""

    command: str
    answer: list[str] = field(default_factory=list)

    @property
    def is_refused(self) -> bool:
        """Whether the page shows that it fails."""
        return any(line.startswith("error:") for line in self.answer)

    def missing_in(self, said: str) -> list[str]:
        """The lines of the answer that are not among what was said, whatever the space between words."""
        lines = [_squeezed(line) for line in said.splitlines()]
        return [line for line in self.answer if line != MORE and not any(map(_pattern(line).fullmatch, lines))]


def calls(page: Page) -> list[Call]:
    """All that stands behind a prompt, in order."""
    return [call for block in page.blocks for call in _calls(iter(block.text.splitlines()))]


def _calls(lines: Iterator[str]) -> Iterator[Call]:
    call: Call | None = None
    for line in lines:
        if not line.startswith(PROMPT):
            if call is not None:
                call.answer.append(line)
            continue
        if call is not None:
            yield call
        call = Call(line.removeprefix(PROMPT))
        if heredoc := _HEREDOC.search(call.command):
            for fed in lines:
                call.command += f"\n{fed}"
                if fed == heredoc[1]:
                    break
    if call is not None:
        yield call


def _squeezed(line: str) -> str:
    return " ".join(line.split())


def _pattern(line: str) -> re.Pattern[str]:
    return re.compile(".*".join(map(re.escape, _squeezed(line).split(MORE))))
