"""docs/reference/errors.md and exit-codes.md say what the code says."""

from __future__ import annotations

import inspect

from pcidevices import cli, errors
from pcidevices.adapters.kube.translate import _SIMPLE
from pcidevices.errors import PciDevicesError
from tests.docs.pages import code, page, rows


CLASSES = {
    name: kind
    for name, kind in inspect.getmembers(errors, inspect.isclass)
    if issubclass(kind, PciDevicesError) and kind.__module__ == errors.__name__
}


def test_every_class_of_the_module_is_an_error_of_ours() -> None:
    own = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if kind.__module__ == errors.__name__]

    assert set(own) == set(CLASSES.values())


def test_every_error_is_told_with_its_parent_its_reason_and_whether_it_is_terminal() -> None:
    told = [row[:4] for row in rows(page("docs/reference/errors.md").text)]

    assert sorted(told) == sorted(
        [
            f"`{name}`",
            f"`{kind.__mro__[1].__name__}`",
            f"`{kind.reason}`",
            "yes" if kind.terminal else "no",
        ]
        for name, kind in CLASSES.items()
    )


def test_every_error_that_is_raised_says_what_to_do() -> None:
    bases = {kind.__mro__[1].__name__ for kind in CLASSES.values()}
    speechless = [row[0] for row in rows(page("docs/reference/errors.md").text) if not row[4] or not row[5]]

    assert {name for cell in speechless for name in code(cell)} <= bases


def test_the_answers_that_make_an_error_are_told_beside_it() -> None:
    meanings = {code(row[0])[0]: row[4] for row in rows(page("docs/reference/errors.md").text)}

    assert [(status, kind) for status, kind in _SIMPLE.items() if str(status) not in meanings[kind.__name__]] == []


def test_every_exit_code_is_told_and_no_other() -> None:
    told = [int(row[0]) for row in rows(page("docs/reference/exit-codes.md").text)]

    assert told == [0, cli.FAILED, cli.MISUSED] == [0, 1, 2]
