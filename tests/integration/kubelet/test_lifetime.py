"""A plugin finds its way back to the kubelet, whatever happens to either of them."""

from __future__ import annotations

import socket

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from anyio import create_task_group, fail_after, sleep, to_thread
from structlog.testing import capture_logs

from pcidevices.adapters.kubelet.lifetime import DevicePlugin, Pace
from pcidevices.domain.offer import Offer
from pcidevices.domain.standing import Standing
from pcidevices.errors import KubeletAway, RegistrationRefused, SocketUnusable
from pcidevices.runtime.backoff import Backoff
from pcidevices.runtime.latest import Latest
from tests.integration.kubelet.conftest import NAME, offered
from tests.support.agent import until
from tests.support.kubelet import FakeKubelet, PluginClient, descriptors


PACE = Pace(stream=5.0, look=0.05, lived=0.2, backoff=Backoff(0.02, 0.1))
HEALTHY = ["0000:04:00.0", "0000:05:00.0"]


@asynccontextmanager
async def running(offers: Latest[Offer], folder: Path, pace: Pace = PACE) -> AsyncIterator[DevicePlugin]:
    plugin = DevicePlugin(offers, folder=folder, pace=pace)
    async with create_task_group() as tg:
        with fail_after(30):
            await tg.start(plugin.run)
        yield plugin
        tg.cancel_scope.cancel()


async def test_a_plugin_registers_and_is_asked(offers: Latest[Offer], kubelet: FakeKubelet) -> None:
    """As the kubelet reads it."""
    async with running(offers, kubelet.folder):
        await until(lambda: kubelet.allocatable == HEALTHY)

    (request,) = kubelet.registrations
    assert (request.version, request.resource_name) == ("v1beta1", NAME)
    assert request.endpoint == "kubevirt-nvidia.com-TU104GL_Tesla-T4.sock"
    assert [options.get_preferred_allocation_available for options in kubelet.options] == [True]


async def test_the_stop_of_a_plugin_ends_its_stream_in_order_and_leaves_no_socket(
    offers: Latest[Offer], kubelet: FakeKubelet
) -> None:
    async with running(offers, kubelet.folder) as plugin:
        await until(lambda: kubelet.allocatable)
        socket_ = plugin.socket

    await until(lambda: kubelet.ended)
    assert kubelet.ended == ["OK"]
    assert not socket_.exists()


async def test_a_kubelet_that_starts_anew_finds_the_plugin(offers: Latest[Offer], kubelet: FakeKubelet) -> None:
    async with running(offers, kubelet.folder):
        for restarts in range(1, 4):
            await until(lambda: kubelet.allocatable == HEALTHY)
            await to_thread.run_sync(kubelet.stop)
            await to_thread.run_sync(kubelet.start)
            await until(lambda times=restarts: len(kubelet.registrations) > times)  # type: ignore[misc]
        await until(lambda: kubelet.allocatable == HEALTHY)


async def test_how_a_plugin_stands_is_told_to_whoever_asks(offers: Latest[Offer], kubelet: FakeKubelet) -> None:
    async with running(offers, kubelet.folder) as plugin:
        await until(lambda: kubelet.allocatable == HEALTHY)
        assert await plugin.standing() == Standing(socket=str(plugin.socket), socket_found=True, is_registered=True)

        await to_thread.run_sync(kubelet.stop)
        (kubelet.folder / "kubelet.sock").unlink(missing_ok=True)
        with fail_after(30):
            while (standing := await plugin.standing()).is_registered or not standing.reason:  # noqa: ASYNC110
                await sleep(0.01)  # waits: a plugin tells nobody how it stands

        assert standing.reason == KubeletAway.reason
        assert "is the kubelet running?" in standing.message


async def test_a_stream_that_is_lost_is_a_new_turn(offers: Latest[Offer], kubelet: FakeKubelet) -> None:
    """The kubelet itself never comes back."""
    async with running(offers, kubelet.folder):
        await until(lambda: kubelet.allocatable)
        await to_thread.run_sync(kubelet.drop_streams)
        await until(lambda: len(kubelet.registrations) >= 2 and kubelet.allocatable == HEALTHY)


async def test_the_old_connection_is_closed_before_the_next_registration(
    offers: Latest[Offer], kubelet: FakeKubelet
) -> None:
    """Or its end would take the new one with it."""
    async with running(offers, kubelet.folder) as plugin:
        for turns in range(1, 6):
            await until(lambda: kubelet.allocatable == HEALTHY)
            plugin.socket.unlink()
            await until(lambda times=turns: len(kubelet.registrations) > times)  # type: ignore[misc]
        await until(lambda: len(kubelet.ended) >= 5)
        assert set(kubelet.ended) == {"OK"}
        assert set(kubelet.open_before) == {0}


async def test_a_kubelet_socket_made_anew_is_a_new_turn(offers: Latest[Offer], kubelet: FakeKubelet) -> None:
    """Even while the stream still lives; and the inode may be the same."""
    async with running(offers, kubelet.folder):
        await until(lambda: kubelet.allocatable)
        path = kubelet.folder / "kubelet.sock"
        path.rename(kubelet.folder / "moved")
        (kubelet.folder / "moved").rename(path)  # the same inode, changed later
        await until(lambda: len(kubelet.registrations) >= 2 and kubelet.allocatable == HEALTHY)


async def test_a_kubelet_that_is_away_at_the_start_keeps_nobody_waiting(offers: Latest[Offer], folder: Path) -> None:
    """The plugin has started, makes no socket, and registers as soon as the kubelet is there."""
    kubelet = FakeKubelet(folder)
    slow = replace(PACE, backoff=Backoff(60, 60))
    with capture_logs() as logs:
        async with running(offers, folder, slow) as plugin:
            assert not plugin.socket.exists()
            await to_thread.run_sync(kubelet.start)
            await until(lambda: kubelet.allocatable == HEALTHY and len(logs) >= 2)
    await to_thread.run_sync(kubelet.stop)

    assert [(log["event"], log["log_level"]) for log in logs] == [
        ("plugin.unregistered", "warning"),
        ("plugin.registered", "info"),
    ]
    assert logs[0]["reason"] == KubeletAway.reason


async def test_a_dead_socket_of_the_kubelet_is_a_kubelet_that_is_away(offers: Latest[Offer], folder: Path) -> None:
    """And is told once, however often it is tried."""
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(folder / "kubelet.sock"))
    with capture_logs() as logs:
        async with running(offers, folder):
            await until(lambda: len(logs) >= 4)

    assert [log["log_level"] for log in logs[:3]] == ["warning", "debug", "debug"]
    assert {log["reason"] for log in logs} == {KubeletAway.reason}


async def test_a_refusal_is_told_in_the_kubelets_words_and_tried_again(
    offers: Latest[Offer], kubelet: FakeKubelet
) -> None:
    kubelet.refuses = 'the ResourceName "x" is invalid'
    with capture_logs() as logs:
        async with running(offers, kubelet.folder):
            await until(lambda: len(kubelet.registrations) >= 3)
            kubelet.refuses = None
            await until(lambda: kubelet.allocatable == HEALTHY)

    assert (logs[0]["log_level"], logs[0]["reason"]) == ("error", RegistrationRefused.reason)
    assert kubelet.refuses is None
    assert 'the ResourceName "x" is invalid' in logs[0]["error"]


async def test_a_name_that_the_kubelet_would_refuse_is_not_sent(kubelet: FakeKubelet) -> None:
    offers = Latest(Offer("kubernetes.io/gpu", (offered(),)))
    with capture_logs() as logs:
        async with running(offers, kubelet.folder):
            await until(lambda: len(logs) >= 2)

    assert kubelet.registrations == []
    assert "reserved" in logs[0]["error"]


async def test_a_kubelet_that_registers_and_never_asks_is_asked_again(
    offers: Latest[Offer], kubelet: FakeKubelet
) -> None:
    kubelet.deaf = True
    async with running(offers, kubelet.folder, replace(PACE, stream=0.3)):
        await until(lambda: len(kubelet.registrations) >= 2)
        kubelet.deaf = False
        await until(lambda: kubelet.frames)


async def test_a_kubelet_that_counts_otherwise_is_told_anew(offers: Latest[Offer], kubelet: FakeKubelet) -> None:
    """Once it had the time to count; one that agrees is left alone."""
    async with running(offers, kubelet.folder, replace(PACE, lived=0.1)) as plugin:
        await until(lambda: kubelet.allocatable == HEALTHY)
        plugin.compare(frozenset(HEALTHY))
        plugin.compare(frozenset())  # too early to count
        assert len(kubelet.registrations) == 1

        def told_anew() -> bool:
            plugin.compare(frozenset())
            return len(kubelet.registrations) >= 2

        await until(told_anew)
        await until(lambda: kubelet.allocatable == HEALTHY)


async def test_a_crash_is_told_and_is_one_more_turn(offers: Latest[Offer], kubelet: FakeKubelet) -> None:
    """Here by an offer that no part of this program makes; the plugin recovers with the next."""
    good = offers.value
    with capture_logs() as logs:
        async with running(offers, kubelet.folder):
            await until(lambda: kubelet.allocatable == HEALTHY)
            offers.set(Offer(NAME, (None,)))  # type: ignore[arg-type]
            await until(lambda: [log for log in logs if log["event"] == "call.crashed"])
            offers.set(good)
            await until(lambda: len(kubelet.registrations) >= 2 and kubelet.allocatable == HEALTHY)


async def test_a_folder_that_cannot_hold_the_socket_is_told(offers: Latest[Offer], folder: Path) -> None:
    """The path is too long, here."""
    deep = folder / ("d" * 90)
    deep.mkdir()
    (deep / "kubelet.sock").touch()
    with capture_logs() as logs:
        async with running(offers, deep):
            await until(lambda: logs)

    assert logs[0]["reason"] == SocketUnusable.reason


async def test_another_client_does_not_end_the_turn(offers: Latest[Offer], kubelet: FakeKubelet) -> None:
    """Neither does its stream's end."""
    async with running(offers, kubelet.folder) as plugin:
        await until(lambda: kubelet.allocatable == HEALTHY)
        for _ in range(5):
            client = PluginClient(plugin.socket)
            await to_thread.run_sync(next, client.stream())
            await to_thread.run_sync(client.close)
        offers.set(Offer(NAME, ()))
        await until(lambda: not kubelet.frames[-1].devices)

        assert len(kubelet.registrations) == 1


async def test_turns_leave_no_descriptors_behind(offers: Latest[Offer], folder: Path) -> None:
    """However many there are."""
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(folder / "kubelet.sock"))
        before = descriptors()
        with capture_logs() as logs:
            async with running(offers, folder):
                await until(lambda: len(logs) > 20)
        await until(lambda: descriptors() <= before)


@pytest.mark.parametrize("resources", [10])
async def test_plugins_do_not_disturb_each_other(kubelet: FakeKubelet, resources: int) -> None:
    names = [f"example.com/gpu{number}" for number in range(resources)]
    plugins = [DevicePlugin(Latest(Offer(name, (offered(),))), folder=kubelet.folder, pace=PACE) for name in names]
    async with create_task_group() as tg:
        for plugin in plugins:
            await tg.start(plugin.run)
        await until(lambda: len(kubelet.frames) == resources)
        tg.cancel_scope.cancel()

    assert {request.resource_name for request in kubelet.registrations} == set(names)
