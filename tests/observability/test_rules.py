"""Alert rules and the dashboard ask for what there is, in words that Prometheus understands."""

from __future__ import annotations

import json
import re
import shutil
import subprocess

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from prometheus_client.metrics import MetricWrapperBase

from pcidevices import metrics
from pcidevices.registry import Registry
from pcidevices.state import State


FOLDER = Path(__file__).parents[2] / "manifests/observability"
_SELECTOR = re.compile(r"(pcidevices_[a-z_]+)(?:\{([^}]*)\})?")
_LABEL = re.compile(r"([a-z_]+)\s*(?:=~|!~|!=|=)")
_OF_EVERY_SERIES = {"instance", "job"}

needs_promtool = pytest.mark.skipif(
    shutil.which("promtool") is None, reason="no promtool: apt-get install --no-install-recommends prometheus"
)


def alerts() -> list[dict[str, Any]]:
    groups = yaml.safe_load((FOLDER / "alerts.yaml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def panels() -> list[dict[str, Any]]:
    return list(json.loads((FOLDER / "dashboard.json").read_text())["panels"])


def queries() -> Iterator[str]:
    """What the dashboard asks, as Grafana would send it."""
    for panel in panels():
        for target in panel.get("targets", ()):
            query: str = target["expr"]
            yield query.replace("$__rate_interval", "5m").replace("$__range", "6h").replace("$instance", ".*")


def labels_of_each() -> dict[str, set[str]]:
    """The labels of every series that there is."""
    found: dict[str, set[str]] = {"pcidevices_build_info": {"version", "python"}}
    for one in vars(metrics).values():
        if isinstance(one, MetricWrapperBase):
            ends = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count")}.get(str(one._type), ("",))
            found |= {one._name + end: {*one._labelnames, *(["le"] if end == "_bucket" else [])} for end in ends}
    for family in State(registry=Registry(), offers=dict, queues={}, synced={}, pulses={}).collect():
        found[family.name] = set(family._labelnames)
    return found


@pytest.mark.parametrize("query", [*(str(rule["expr"]) for rule in alerts()), *queries()])
def test_what_is_asked_for_exists(query: str) -> None:
    known = labels_of_each()
    for name, matchers in _SELECTOR.findall(query):
        assert name in known
        assert set(_LABEL.findall(matchers)) <= known[name] | _OF_EVERY_SERIES, name


def test_every_alert_says_what_it_is_and_what_to_do() -> None:
    for rule in alerts():
        assert rule["alert"].startswith("PCIDevices")
        assert rule["labels"]["severity"] in {"critical", "warning", "info"}
        assert set(rule["annotations"]) == {"summary", "description"}


def test_every_alert_is_tried() -> None:
    tried = (FOLDER / "alerts.test.yaml").read_text()

    assert [rule["alert"] for rule in alerts() if rule["alert"] not in tried] == []


def test_every_panel_has_a_place_of_its_own() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in panels():
        x, y, w, h = (panel["gridPos"][key] for key in "xywh")
        place = {(column, line) for column in range(x, x + w) for line in range(y, y + h)}
        assert not taken & place, panel["title"]
        assert x + w <= 24
        taken |= place
    assert len({panel["id"] for panel in panels()}) == len(panels())


@needs_promtool
def test_the_rules_are_rules() -> None:
    promtool("check", "rules", "--lint-fatal", "alerts.yaml")


@needs_promtool
def test_the_alerts_fire_for_what_they_are_meant_for() -> None:
    promtool("test", "rules", "alerts.test.yaml")


@needs_promtool
def test_the_dashboard_asks_what_can_be_parsed(tmp_path: Path) -> None:
    rules = [{"record": f"panel:{number}", "expr": query} for number, query in enumerate(queries())]
    file = tmp_path / "queries.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}))

    assert f"{len(rules)} rules found" in promtool("check", "rules", str(file))


def promtool(*arguments: str) -> str:
    """What it says; the test fails with that when it is not content."""
    done = subprocess.run(["promtool", *arguments], cwd=FOLDER, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
