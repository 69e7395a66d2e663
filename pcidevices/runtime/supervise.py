"""What a task group's end was about."""

from __future__ import annotations

from collections.abc import Iterator


def causes(group: BaseExceptionGroup[BaseException]) -> Iterator[BaseException]:
    """The errors inside nested groups, in order."""
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from causes(error)
        else:
            yield error
