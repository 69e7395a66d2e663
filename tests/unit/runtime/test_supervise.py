"""What a task group's end was about."""

from __future__ import annotations

from pcidevices.runtime.supervise import causes


def test_the_errors_in_nested_groups_come_in_order() -> None:
    one, two, three = ValueError("1"), KeyError("2"), OSError("3")

    group = ExceptionGroup("outer", [one, ExceptionGroup("inner", [two, ExceptionGroup("core", [three])])])

    assert list(causes(group)) == [one, two, three]
