"""Register: what it does before it answers, and what it refuses."""

from __future__ import annotations

import socket

import pytest

from anyio import current_time

from tests.contract.kubelet.world import ALL, World, refusal


_LABEL = "a" * 63
_LONG = f"{_LABEL}.{_LABEL}.{_LABEL}."
_UNREACHED = ("UNKNOWN", "failed to dial device plugin: context deadline exceeded")


async def test_a_registered_plugin_has_its_devices_on_the_node(world: World) -> None:
    """Those who ask for pods' resources see them at once, the node's status a little later."""
    await world.plugin().register(world.socket)

    await world.sees(ALL)
    await world.counts_as(3, 3)


async def test_register_calls_the_plugin_back_before_it_answers(world: World) -> None:
    """A plugin that cannot tell its options is refused with its own words."""
    plugin = world.plugin()
    plugin.dumb = True

    status, text = await refusal(plugin.register(world.socket))

    assert status == "UNKNOWN"
    assert text == "failed to get device plugin options: rpc error: code = Internal desc = no idea"


@pytest.mark.parametrize(
    "name",
    [
        "",
        "gpu",
        "/gpu",
        "x.example/",
        "x.example/a/b",
        "x.example/-x",
        "x.example/x-",
        "X.example/x",
        "x_y.example/x",
        "kubernetes.io/x",
        "a.kubernetes.io/x",
        "requests.example/x",
        "x.example/" + "x" * 64,
        f"{_LONG}{'a' * 53}/x",
    ],
)
async def test_a_name_that_no_resource_can_have_is_refused(world: World, name: str) -> None:
    """With the status UNKNOWN, as everything that is refused; only the text tells why."""
    plugin = world.plugin()

    assert await refusal(plugin.register(world.socket, resource=name)) == (
        "UNKNOWN",
        f'the ResourceName "{name}" is invalid',
    )


@pytest.mark.parametrize("name", ["x" * 63, "A", "a_b.C-d"])
async def test_names_may_have_63_letters_of_either_case(world: World, name: str) -> None:
    """And hyphens, dots and underscores within."""
    await world.plugin().register(world.socket, resource=f"{world.resource}-{name}"[: len("12345678.example/") + 63])


async def test_a_domain_may_have_244_characters(world: World) -> None:
    """Others may have 253; `requests.` must find room before this one."""
    await world.plugin().register(world.socket, resource=f"{_LONG}{'a' * 52}/x")


async def test_another_version_is_refused(world: World) -> None:
    """Whatever else is wrong with the request."""
    plugin = world.plugin()

    assert await refusal(plugin.register(world.socket, version="v1alpha1", resource="")) == (
        "UNKNOWN",
        'requested API version "v1alpha1" is not supported by kubelet. Supported version is ["v1beta1"]',
    )


async def test_a_plugin_without_a_socket_is_waited_for_and_then_refused(world: World) -> None:
    """The caller waits as long as the kubelet does."""
    plugin = world.plugin()
    await plugin.close()
    began = current_time()

    assert await refusal(plugin.register(world.socket)) == _UNREACHED
    assert world.kubelet.patience <= current_time() - began + 0.01 < world.kubelet.patience + 2


async def test_a_socket_where_nobody_listens_is_as_good_as_none(world: World) -> None:
    """As it is left behind by a plugin that was killed."""
    plugin = world.plugin()
    await plugin.close()
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(plugin.path))

    assert await refusal(plugin.register(world.socket)) == _UNREACHED


async def test_a_socket_where_nobody_speaks_is_as_good_as_none(world: World) -> None:
    """That somebody has accepted the connection, or will, does not count."""
    plugin = world.plugin()
    await plugin.close()
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(plugin.path))
        silent.listen()

        assert await refusal(plugin.register(world.socket)) == _UNREACHED
