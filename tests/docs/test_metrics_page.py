"""docs/reference/metrics.md says what can be scraped."""

from __future__ import annotations

import re

from collections.abc import Iterator

from prometheus_client.metrics import MetricWrapperBase

from pcidevices import metrics
from pcidevices.registry import Registry
from pcidevices.state import State
from tests.docs.pages import code, page, rows


PAGE = page("docs/reference/metrics.md")
_ENDINGS = {"counter": "_total", "info": "_info"}
_UNITS = ("_seconds", "_bytes")

Metric = tuple[str, str, tuple[str, ...]]


def counted() -> Iterator[Metric]:
    for one in vars(metrics).values():
        if isinstance(one, MetricWrapperBase):
            yield one._name + _ENDINGS.get(str(one._type), ""), str(one._type), tuple(one._labelnames)
    yield "pcidevices_build_info", "info", ("version", "python")


def looked_at() -> Iterator[Metric]:
    for family in State(registry=Registry(), offers=dict, queues={}, synced={}, pulses={}).collect():
        yield family.name, family.type, tuple(family._labelnames)


def test_every_metric_is_told_with_its_type_and_labels_and_no_other() -> None:
    told = [(code(name)[0], kind, tuple(code(labels))) for name, kind, labels, _ in rows(PAGE.text)]

    assert sorted(told) == sorted([*counted(), *looked_at()])


def test_every_metric_is_explained() -> None:
    assert all(row[3] for row in rows(PAGE.text))


def test_names_are_as_prometheus_wants_them() -> None:
    """One prefix; a counter ends in _total; a histogram in its unit; nothing else does."""
    for name, kind, _ in [*counted(), *looked_at()]:
        assert re.fullmatch(r"pcidevices_[a-z_]+", name)
        assert name.endswith("_total") == (kind == "counter"), name
        assert name.endswith(_UNITS) == (kind == "histogram"), name


def test_every_metric_that_a_page_names_exists() -> None:
    known = {name for name, _, _ in [*counted(), *looked_at()]}
    known |= {name.removesuffix("_total") for name in known}

    for text in (PAGE.text, page("docs/how-to/monitor.md").text):
        named = {re.sub(r"_(bucket|sum|count)$", "", name) for name in re.findall(r"pcidevices_[a-z_]+", text)}
        assert named <= known
