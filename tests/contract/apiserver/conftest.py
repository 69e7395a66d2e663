"""
The same tests against the embedded API server and against the real one, so that the embedded one cannot lie.

``PCIDEVICES_TEST_API`` says which: ``embedded`` (the default), ``real`` or ``both``. The real one is started by
``hack/cluster``, once; ``PCIDEVICES_TEST_KUBECONFIG`` names one that runs already and that may be written to.
"""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys

from contextlib import asynccontextmanager
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import pytest
import yaml

from pcidevices.adapters.kube.credentials import Credentials
from pcidevices.sim.apiserver import ApiServer
from tests.contract.apiserver.claiming import claims_are_served, no_claims_are_left
from tests.contract.apiserver.client import GROUP, PATIENCE, WIDGETS, Api, connected
from tests.contract.apiserver.crd import crd
from tests.contract.apiserver.kubectl import Kubectl, find_kubectl
from tests.support.kube import a_client
from tests.support.waiting import answered


if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from pcidevices.adapters.kube.client import KubeClient


CHOICES = {"embedded": ["embedded"], "real": ["real"], "both": ["embedded", "real"]}
WIDGET_CRD = crd(GROUP, singular="widget", shortNames=["wdg"], categories=["gadgets"])
DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
HACK = Path(__file__).parents[3] / "hack/cluster"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "api_kind" in metafunc.fixturenames:
        chosen = os.environ.get("PCIDEVICES_TEST_API", "embedded")
        metafunc.parametrize("api_kind", CHOICES[chosen], scope="session")


@pytest.fixture(scope="session")
def real_kubeconfig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    given = os.environ.get("PCIDEVICES_TEST_KUBECONFIG")
    if given:
        yield Path(given)
        return
    folder = tmp_path_factory.mktemp("cluster") / "up"
    up = subprocess.run([sys.executable, HACK, "up", "--dir", folder], check=True, stdout=subprocess.PIPE, text=True)
    try:
        yield Path(up.stdout.strip())
    finally:
        subprocess.run([sys.executable, HACK, "down", "--dir", folder], check=True)


@pytest.fixture
async def api(api_kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Api]:
    """An API server with the widget's definition, no widgets, and a namespace of its own."""
    if api_kind == "real":
        path = request.getfixturevalue("real_kubeconfig")
        kubeconfig = yaml.safe_load(path.read_text())
        async with _client(kubeconfig, str(path)) as real:
            await _widgets_are_served(real)
            yield real
            await _no_widgets_are_left(real)
        return
    server = ApiServer(crds=[WIDGET_CRD])
    async with server.serving():
        path = anyio.Path(tmp_path) / "kubeconfig"
        await path.write_text(json.dumps(server.kubeconfig()))
        async with _client(server.kubeconfig(), str(path)) as embedded:
            yield embedded


@asynccontextmanager
async def _client(kubeconfig: dict[str, Any], path: str) -> AsyncIterator[Api]:
    async with connected(kubeconfig) as (session, url):
        api = Api(session, url, path, namespace=f"contract-{secrets.token_hex(4)}")
        namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": api.namespace}}
        assert (await api.post("/api/v1/namespaces", namespace)).status == 201
        yield api


async def _widgets_are_served(api: Api) -> None:
    await api.post(DEFINITIONS, WIDGET_CRD)
    for path in (WIDGETS, f"/openapi/v3/apis/{GROUP}/v1"):
        await answered(partial(api.get, path), lambda answer: answer.status == HTTPStatus.OK, within=PATIENCE)


async def _no_widgets_are_left(api: Api) -> None:
    for item in (await api.get(WIDGETS))["items"]:
        await api.patch(f"{WIDGETS}/{item['metadata']['name']}", {"metadata": {"finalizers": []}})
    await api.delete(WIDGETS)


@pytest.fixture
async def client(api: Api) -> AsyncIterator[KubeClient]:
    """The agent's own client, of a server that has our definitions and no claims."""
    await claims_are_served(api)
    async with a_client(Credentials(api.kubeconfig)) as connected_client:
        yield connected_client
    await no_claims_are_left(api)


@pytest.fixture
def kubectl(api: Api, tmp_path: Path) -> Kubectl:
    """The real kubectl, with a home of its own."""
    program = find_kubectl()
    if program is None:
        pytest.skip("there is no kubectl")
    return Kubectl(program, api.kubeconfig, tmp_path)
