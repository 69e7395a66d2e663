"""What is no list says nothing of what there is."""

from __future__ import annotations

from pathlib import Path

import pytest

from pcidevices.adapters.kube.clusterclaims import KubeClusterClaims
from pcidevices.adapters.kube.kubevirt import KubeKubeVirts
from pcidevices.domain.permitted import Permission
from pcidevices.errors import Unavailable
from tests.support.kube import a_client, kubeconfig, written
from tests.support.nolists import NO_LISTS
from tests.support.scripted_api import ScriptedApi, a_list, an_object, says


CARD = Permission("10de:1c03", "nvidia.com/CARD")


@pytest.mark.parametrize("body", NO_LISTS)
async def test_without_a_list_of_claims_nothing_is_taken_from_kubevirts_list(tmp_path: Path, body: bytes) -> None:
    api = ScriptedApi([says(body)])
    async with api.serving() as url, a_client(written(tmp_path / "c", kubeconfig(url))) as client:
        with pytest.raises(Unavailable, match="makes no sense"):
            await KubeKubeVirts(client).still_needed([CARD])
        with pytest.raises(Unavailable, match="makes no sense"):
            await KubeKubeVirts(client).find()


async def test_what_comes_after_the_first_page_has_to_be_a_list_too(tmp_path: Path) -> None:
    first = a_list(an_object("a", 5), version=7, token="more")
    api = ScriptedApi([says(first), says({"metadata": {}})])
    async with api.serving() as url, a_client(written(tmp_path / "c", kubeconfig(url))) as client:
        with pytest.raises(Unavailable, match="makes no sense"):
            await KubeClusterClaims(client).everywhere()


async def test_a_list_without_items_is_an_empty_one_where_it_says_so(tmp_path: Path) -> None:
    """Go writes null for a slice that was never made."""
    api = ScriptedApi([says({"metadata": {"resourceVersion": "7"}, "items": None})])
    async with api.serving() as url, a_client(written(tmp_path / "c", kubeconfig(url))) as client:
        assert await KubeKubeVirts(client).still_needed([CARD]) == frozenset()
