"""What Prometheus reads of a whole agent, between a simulated node and an embedded API server."""

from __future__ import annotations

from collections.abc import Mapping

import aiohttp
import pytest

from prometheus_client.parser import text_string_to_metric_families

from pcidevices.adapters.http.server import HttpServer
from pcidevices.metrics import REGISTRY
from tests.support.agent import Scene, until
from tests.support.machine import NIC, NICS, PUBLISHED
from tests.support.person import Person
from tests.support.waiting import answered


Figures = Mapping[tuple[str, ...], float]


async def scraped(http: HttpServer) -> Figures:
    """All samples, by name (without our prefix) and the values of their labels in order of these."""
    async with aiohttp.request("GET", f"http://{http.address}/metrics") as response:
        text = await response.text()
    return {
        (sample.name.removeprefix("pcidevices_"), *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def difference(before: Figures, after: Figures, *key: str) -> float:
    """Counters are of the process, in which other tests ran."""
    return after.get(key, 0) - before.get(key, 0)


def on_offer(figures: Figures) -> bool:
    healthy = figures.get(("offered_devices", "healthy", NICS))
    return (healthy, figures.get(("plugin_registered", NICS))) == (1, 1)


@pytest.mark.usefixtures("kubelet")
async def test_the_life_of_a_claim_can_be_followed(scene: Scene, person: Person, http: HttpServer) -> None:
    async with scene.agent(http=http):
        await until(lambda: scene.published() == PUBLISHED)
        before = await scraped(http)
        person.claim(NIC)
        await until(lambda: person.ready(NIC))
        ready = await answered(lambda: scraped(http), lambda figures: on_offer(figures) and figures["devices", "vfio"])
        person.delete(NIC)
        await until(lambda: person.gone(NIC))
        await until(lambda: scene.hardware[0].looks > 1)
        after = await answered(lambda: scraped(http), lambda figures: not figures["devices", "vfio"])

    assert (before["devices", "host"], before["devices", "bridge"], before["devices", "vfio"]) == (PUBLISHED, 1, 0)
    assert (ready["devices", "host"], ready["devices", "vfio"], ready["claims", "Ready"]) == (PUBLISHED - 1, 1, 1)
    assert (after["claims", "Ready"], after["devices", "host"]) == (0, PUBLISHED)
    assert difference(before, ready, "kubelet_registrations_total", "registered") == 1
    assert difference(before, after, "sysfs_write_duration_seconds_count", "done", "Unbind") == 2
    assert difference(before, after, "api_requests_total", "200", "PATCH") >= 4
    assert difference(before, after, "reconciles_total", "claims", "changed", "") >= 2
    assert difference(before, after, "scan_duration_seconds_count") >= 1


async def test_a_write_that_hangs_is_told_by_its_device_until_it_returns(
    scene: Scene, person: Person, http: HttpServer
) -> None:
    async with scene.agent(http=http, patience=0.2):
        person.claim(NIC)
        await until(lambda: person.ready(NIC))
        scene.hold_unseen(NIC)
        person.delete(NIC)
        hung = await answered(lambda: scraped(http), lambda figures: ("hung_writes", NIC) in figures)
        assert hung["hung_writes", NIC] == 1
        assert hung["claims_deleting",] == 1

        scene.node.release(NIC)
        await answered(lambda: scraped(http), lambda figures: ("hung_writes", NIC) not in figures)


async def test_an_api_server_that_is_away_shows_in_what_is_asked_of_it(scene: Scene, http: HttpServer) -> None:
    async with scene.agent(http=http):
        await until(lambda: scene.published() == PUBLISHED)
        before = await scraped(http)
        scene.server.faults.refuse(10**6, 503)
        scene.server.faults.cut_watches("end")

        # With an end as servers end it, and then with what refuses the next one.
        restarts = "watch_restarts_total", "Unavailable", "pcidevices"
        after = await answered(lambda: scraped(http), lambda figures: difference(before, figures, *restarts))
    assert difference(before, after, "api_requests_total", "503", "WATCH") >= 1


async def test_what_an_agent_said_ends_with_it(scene: Scene, http: HttpServer) -> None:
    """The next one in the same process, as in tests, is not mixed up with it."""
    async with scene.agent(http=http):
        assert REGISTRY.get_sample_value("pcidevices_devices", {"state": "host"}) is not None

    assert REGISTRY.get_sample_value("pcidevices_devices", {"state": "host"}) is None
