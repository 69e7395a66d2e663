"""What Kubernetes is told of the agent."""

from __future__ import annotations

from pcidevices.domain.health import alive, ready, report


def test_all_well_is_told_line_by_line() -> None:
    assert report("healthz", alive({"hardware": None, "claims": None})) == (
        True,
        "[+]loop ok\n[+]hardware ok\n[+]claims ok\nhealthz check passed\n",
    )


def test_one_feed_that_is_late_is_enough_to_be_ill() -> None:
    passed, text = report("healthz", alive({"hardware": "the end of a scan is 3 s late", "claims": None}))

    assert not passed
    assert "[-]hardware failed: the end of a scan is 3 s late\n[+]claims ok\nhealthz check failed\n" in text


def test_ready_is_who_has_seen_everything_once() -> None:
    assert report("readyz", ready({"hardware": True, "node": True}))[0]


def test_what_has_not_been_listed_yet_is_named() -> None:
    passed, text = report("readyz", ready({"hardware": True, "claims": False}))

    assert not passed
    assert text == "[+]hardware ok\n[-]claims failed: not listed yet\nreadyz check failed\n"
