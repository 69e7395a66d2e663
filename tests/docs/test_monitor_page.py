"""docs/how-to/monitor.md says of each alert what it means and what to do."""

from __future__ import annotations

import yaml

from tests.docs.pages import ROOT, code, page, rows


PAGE = page("docs/how-to/monitor.md")


def test_every_alert_is_told_with_its_time_and_severity_and_no_other() -> None:
    groups = yaml.safe_load((ROOT / "manifests/observability/alerts.yaml").read_text())["groups"]
    told = [(code(row[0])[0], row[1], row[2]) for row in rows(PAGE.section("## Alerts"))]

    assert told == [
        (rule["alert"], rule.get("for", "at once"), rule["labels"]["severity"])
        for group in groups
        for rule in group["rules"]
    ]


def test_every_alert_has_a_meaning_and_a_cure() -> None:
    assert all(row[3] and row[4] for row in rows(PAGE.section("## Alerts")))
