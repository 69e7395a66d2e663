"""docs/reference/log-events.md says what the code logs."""

from __future__ import annotations

import re

import pytest

from pcidevices.runtime import controller
from tests.docs.events import LEVELS, LOGGER, Event, NotLiteral, events_in, loggers_in
from tests.docs.pages import ROOT, code, page, rows


PAGE = page("docs/reference/log-events.md")
SOURCES = {
    str(path.relative_to(ROOT)): path.read_text()
    for path in sorted((ROOT / "pcidevices").rglob("*.py"))
    if "kubeletapi" not in path.parts
}
# Without the word there is no logger; most of the simulated world has none.
SOURCES = {name: source for name, source in SOURCES.items() if re.search(rf"\b{LOGGER}\b|get_logger", source)}


@pytest.fixture(scope="module")
def logged() -> dict[str, Event]:
    """What the code logs, over all modules."""
    whole: dict[str, Event] = {}
    for name, source in SOURCES.items():
        for text, event in events_in(source, name).items():
            merged = whole.setdefault(text, Event())
            merged.levels |= event.levels
            merged.keys |= event.keys
    return whole


@pytest.fixture(scope="module")
def told() -> dict[str, list[str]]:
    return {code(row[0])[0]: row for row in rows(PAGE.text)}


def test_every_event_is_told_and_no_other(logged: dict[str, Event], told: dict[str, list[str]]) -> None:
    assert set(told) == set(logged)
    assert all(row[3] for row in told.values())


def test_every_event_has_its_level(logged: dict[str, Event], told: dict[str, list[str]]) -> None:
    levels = {name: {word.strip() for word in row[1].split(",")} for name, row in told.items()}

    assert levels == {name: event.levels for name, event in logged.items()}


def test_every_key_is_told(logged: dict[str, Event], told: dict[str, list[str]]) -> None:
    """Keys that are put together at run time (``**facts``) may be told beyond those found."""
    assert {name: event.keys - set(code(told[name][2])) for name, event in logged.items()} == {
        name: set() for name in logged
    }


def test_every_warning_and_error_is_in_the_troubleshooting_guide(logged: dict[str, Event]) -> None:
    guide = page("docs/how-to/troubleshoot.md").text

    assert {
        name for name, event in logged.items() if event.levels & {"warning", "error"} and name not in guide
    } == set()


def test_every_logger_has_the_one_name_that_is_looked_for() -> None:
    assert {name for source in SOURCES.values() for name in loggers_in(source)} == {LOGGER}


def test_a_module_without_a_logger_of_its_own_logs_nothing() -> None:
    """A logger that is imported or held by an object would escape the search."""
    assert [name for name, source in SOURCES.items() if "import log\n" in source or "self._log." in source] == []


def test_the_reconcile_line_is_found_although_its_level_is_chosen_at_run_time() -> None:
    found = events_in(SOURCES[f"{controller.__name__.replace('.', '/')}.py"], "controller")

    assert found["reconcile.finished"].levels == {"debug", "warning", "error"}


@pytest.mark.parametrize("level", LEVELS)
def test_a_new_event_is_found_at_every_level(level: str) -> None:
    assert set(events_in(f'log.{level}("moon.risen", phase=1)', "sky")) == {"moon.risen"}


def test_both_sides_of_a_choice_are_found() -> None:
    assert set(events_in('log.info("moon.risen" if up else "moon.set")', "sky")) == {"moon.risen", "moon.set"}


@pytest.mark.parametrize(
    "source",
    [
        "log.info(event)",
        'log.info(f"{what}.risen")',
        'log.info("the moon is up")',
        'log.info("moon.risen" if up else what)',
        "say = log.info\nsay(what)",
    ],
)
def test_an_event_that_cannot_be_read_off_the_code_is_refused(source: str) -> None:
    with pytest.raises(NotLiteral):
        events_in(source, "sky")
