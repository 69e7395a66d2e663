"""An API server as there is one in a cluster: TLS, tokens that expire, certificates that are replaced."""

from __future__ import annotations

import os
import shutil
import ssl
import subprocess

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from aiohttp import web

from pcidevices.adapters.kube.client import KubeClient
from pcidevices.adapters.kube.credentials import Credentials
from pcidevices.adapters.kube.narrow import Configuration, load_incluster_config
from pcidevices.errors import Unavailable
from tests.support.kube import a_client, kubeconfig, written
from tests.support.scripted_api import Answer, ScriptedApi, says


pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="certificates are made with openssl")


@dataclass(frozen=True)
class Certificate:
    """A certificate that vouches for itself, with its key."""

    certificate: Path
    key: Path

    @classmethod
    def made(cls, folder: Path, name: str) -> Certificate:
        found = cls(folder / f"{name}.crt", folder / f"{name}.key")
        subprocess.run(
            [
                *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"),
                *("-days", "2", "-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1"),
                *("-keyout", found.key, "-out", found.certificate),
            ],
            check=True,
            capture_output=True,
        )
        return found

    def serving(self, *clients: Certificate) -> ssl.SSLContext:
        """For a server; with *clients*, for one that lets in only those."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self.certificate, self.key)
        for client in clients:
            context.verify_mode = ssl.CERT_OPTIONAL
            context.load_verify_locations(client.certificate)
        return context


@dataclass(frozen=True)
class ServiceAccount(Credentials):
    """A pod's, mounted somewhere else."""

    folder: Path = Path()
    port: str = ""

    async def load(self) -> Configuration:
        configuration = Configuration()
        load_incluster_config(  # type: ignore[no-untyped-call]
            client_configuration=configuration,
            token_filename=str(self.folder / "token"),
            cert_filename=str(self.folder / "ca.crt"),
            environ={**os.environ, "KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": self.port},
        )
        return configuration


def wants(token: str) -> Answer:
    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        known = request.headers.get("Authorization") == f"Bearer {token}"
        return web.Response(status=200 if known else 401, text="{}")

    return answer


def mounted(folder: Path, token: str, authority: Certificate) -> None:
    """What a projected volume of a service account holds."""
    (folder / "token").write_text(token)
    shutil.copy(authority.certificate, folder / "ca.crt")


async def test_a_projected_token_is_read_again_when_it_is_refused(tmp_path: Path) -> None:
    """The kubelet replaces it in time, but a server may have got new keys."""
    here = Certificate.made(tmp_path, "server")
    mounted(tmp_path, "old", here)
    api = ScriptedApi([wants("new")])
    async with api.serving(here.serving()) as url:
        account = ServiceAccount(folder=tmp_path, port=url.rpartition(":")[2])
        async with a_client(account) as client:
            mounted(tmp_path, "new", here)
            await client.request("GET", "/x")

    assert [request.headers["Authorization"] for request in api.asked] == ["Bearer old", "Bearer new"]


@asynccontextmanager
async def in_a_pod(folder: Path, here: Certificate, answer: Answer) -> AsyncIterator[KubeClient]:
    """A client that knows its server from what is mounted in *folder*."""
    async with ScriptedApi([answer]).serving(here.serving()) as url:
        account = ServiceAccount(folder=folder, port=url.rpartition(":")[2])
        async with a_client(account) as client:
            yield client


async def test_a_server_with_a_certificate_of_somebody_else_is_unavailable(tmp_path: Path) -> None:
    mounted(tmp_path, "token", Certificate.made(tmp_path, "somebody"))
    async with in_a_pod(tmp_path, Certificate.made(tmp_path, "server"), says({})) as client:
        with pytest.raises(Unavailable, match="certificate"):
            await client.request("GET", "/x")


async def test_a_replaced_authority_is_read_again(tmp_path: Path) -> None:
    """It keeps its path; a pod must not have to be restarted when a cluster's authority is rotated."""
    here = Certificate.made(tmp_path, "server")
    mounted(tmp_path, "token", Certificate.made(tmp_path, "before"))
    async with in_a_pod(tmp_path, here, wants("token")) as client:
        mounted(tmp_path, "token", here)
        with suppress(Unavailable):  # the failure may be what makes the client look again
            await client.request("GET", "/x")

        await client.request("GET", "/x")


async def test_a_replaced_client_certificate_is_read_again_when_it_is_refused(tmp_path: Path) -> None:
    """It keeps its path, as the kubelet's own does."""
    here, old, new = (Certificate.made(tmp_path, name) for name in ("server", "old", "new"))
    mine = Certificate(tmp_path / "mine.crt", tmp_path / "mine.key")

    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        assert request.transport is not None
        shown = request.transport.get_extra_info("peercert") or {}
        known = (("commonName", "new"),) in shown.get("subject", ())
        return web.Response(status=200 if known else 401, text="{}")

    def issued(certificate: Certificate) -> None:
        shutil.copy(certificate.certificate, mine.certificate)
        shutil.copy(certificate.key, mine.key)

    issued(old)
    async with ScriptedApi([answer]).serving(here.serving(old, new)) as url:
        config = kubeconfig(url, **{"client-certificate": str(mine.certificate), "client-key": str(mine.key)})
        config["clusters"][0]["cluster"]["certificate-authority"] = str(here.certificate)
        async with a_client(written(tmp_path / "c", config)) as client:
            issued(new)

            await client.request("GET", "/x")
