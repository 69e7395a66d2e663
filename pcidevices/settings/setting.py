"""One thing that can be set."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One thing that can be set, in one or several commands."""

    name: str
    """As in ``--name``; the variable is PCIDEVICES_NAME."""
    commands: frozenset[str]
    help: str
    default: str | None = None
    """As text, the way a person would give it; None when there is none."""
    shown_default: str = ""
    parse: Callable[[str], Any] = str
    choices: Sequence[str] | None = None
    metavar: str | None = None
    without_value: str | None = None
    """What the flag alone means, where it may stand alone."""
    also: str | None = None
    """Another variable that is read when ours is not set."""

    @property
    def flag(self) -> str:
        return f"--{self.name}"

    @property
    def variable(self) -> str:
        return f"PCIDEVICES_{self.name.upper().replace('-', '_')}"

    @property
    def key(self) -> str:
        return self.name.replace("-", "_")

    def read(self, text: str) -> Any:  # noqa: ANN401  each setting has a type of its own
        """The value of *text*; raises ValueError when it has none."""
        if self.choices and text not in self.choices:
            raise ValueError(f"{text!r} is none of {', '.join(self.choices)}")
        return self.parse(text)
