"""Only programs on this machine are answered."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pcidevices.sim.apiserver.guard import check_loopback, refusal


if TYPE_CHECKING:
    from aiohttp import ClientSession

    from pcidevices.sim.apiserver import ApiServer


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.1:80", "localhost:1", "[::1]:8080", "127.9.9.9"])
def test_this_machine_has_several_names(host: str) -> None:
    assert refusal({"Host": host}) is None


@pytest.mark.parametrize("host", ["", "evil.example.com", "localhost.evil.example.com", "10.0.0.1:80", "[fe80::1]"])
def test_a_foreign_host_is_refused(host: str) -> None:
    """A name that somebody else's DNS resolves to loopback arrives so."""
    assert refusal({"Host": host}) is not None


def test_any_origin_is_refused() -> None:
    assert refusal({"Host": "127.0.0.1", "Origin": "http://127.0.0.1"}) is not None


@pytest.mark.parametrize("host", ["0.0.0.0", "10.0.0.1", "::", "example.com"])
def test_others_cannot_reach_the_server(host: str) -> None:
    with pytest.raises(ValueError, match="not a loopback address"):
        check_loopback(host)


async def test_web_pages_are_refused_before_anything_is_done(server: ApiServer, client: ClientSession) -> None:
    pod = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "a"}}

    for headers in ({"Origin": "https://evil.example.com"}, {"Host": "evil.example.com"}):
        async with client.post("/api/v1/namespaces", json=pod, headers=headers) as answer:
            assert answer.status == 403
    assert [n["metadata"]["name"] for n in server.list("namespaces")] == ["default", "kube-system"]


async def test_a_form_is_no_object(client: ClientSession) -> None:
    """What a page can post without asking first is not even read."""
    async with client.post("/api/v1/namespaces", data={"kind": "Namespace"}) as answer:
        assert answer.status == 415
