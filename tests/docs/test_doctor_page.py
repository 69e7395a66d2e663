"""docs/how-to/doctor.md lists what the doctor is tried with, and the links that it has."""

from __future__ import annotations

from pcidevices.domain.diagnosis import Mark, chain
from tests.docs.pages import code, page, rows
from tests.integration.test_doctor import SITUATIONS


PAGE = page("docs/how-to/doctor.md")


def test_every_situation_that_is_tried_is_told_with_what_is_found() -> None:
    table = list(rows(PAGE.section("## What it finds")))

    assert [(text, code(link), code(reason), status) for text, link, reason, status in table] == [
        (
            case.text,
            [case.link] if case.link else [],
            [case.reason] if case.reason else [],
            "1" if case.mark is Mark.CAUSE else "0",
        )
        for case in SITUATIONS
    ]


def test_every_link_is_told_in_the_order_of_the_chain() -> None:
    told = [name for row in rows(PAGE.section("## Where it looks")) for name in code(row[0])]

    assert told == [look_at.__name__ for look_at in chain._CHAIN]
