"""docs/reference/settings.md says what the table of settings and the command line say."""

from __future__ import annotations

import argparse
import re

from collections.abc import Iterator

from pcidevices.cli import _parser
from pcidevices.settings import SETTINGS, Setting
from tests.docs.pages import code, page, rows


PAGE = page("docs/reference/settings.md")
_FLAG = re.compile(r"(?<![\w-])--[a-z][a-z-]*")


def _commands() -> dict[str, argparse.ArgumentParser]:
    (choices,) = (action.choices for action in _parser()._actions if isinstance(action, argparse._SubParsersAction))
    return dict(choices)


def _own_flags() -> Iterator[tuple[str, str]]:
    """Flags that are no settings, and the command that has them."""
    settings = {setting.flag for setting in SETTINGS}
    for name, command in _commands().items():
        for flags in (action.option_strings for action in command._actions):
            if flags and not settings & {*flags} and "--help" not in flags:
                yield ", ".join(flags), name


def _default(setting: Setting) -> str:
    return f"`{setting.default}`" if setting.default else setting.shown_default or "none"


def test_every_setting_has_its_flag_variables_default_and_commands() -> None:
    table = [row for row in rows(PAGE.text.partition("## ")[0]) if row[0].startswith("`--")]

    assert [(code(flag), code(variables), default, commands) for flag, variables, default, commands, _ in table] == [
        (
            [setting.flag],
            [name for name in (setting.variable, setting.also) if name],
            _default(setting),
            ", ".join(sorted(setting.commands)),
        )
        for setting in SETTINGS
    ]


def test_every_setting_is_explained() -> None:
    assert all(row[4] for row in rows(PAGE.text.partition("## ")[0]))


def test_the_flags_that_are_no_settings_are_told_with_their_command() -> None:
    told = {(", ".join(code(row[0])), row[1]) for row in rows(PAGE.section("## Flags that are no settings"))}

    assert set(_own_flags()) == {entry for entry in told if entry[1] in _commands()}


def test_no_other_flag_is_named() -> None:
    known = {flag for flags, _ in _own_flags() for flag in flags.split(", ")} | {"--help", "--version"}

    assert set(_FLAG.findall(PAGE.text)) <= known | {setting.flag for setting in SETTINGS}


def test_only_variables_that_exist_are_named() -> None:
    named = set(re.findall(r"PCIDEVICES_[A-Z_]+", PAGE.text))

    assert named == {setting.variable for setting in SETTINGS}
