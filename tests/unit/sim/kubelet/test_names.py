"""Which names a resource may have. The contract suite asks a real kubelet the same."""

from __future__ import annotations

import pytest

from pcidevices.sim.kubelet.names import is_extended_resource


@pytest.mark.parametrize("name", ["x.example/gpu", "x/y", "a-b.c-d.example/A_b.C-1", "nvidia.com/GP106_GEFORCE"])
def test_a_domain_and_a_name_make_a_resource(name: str) -> None:
    """With a slash between them."""
    assert is_extended_resource(name)


@pytest.mark.parametrize(
    "name", ["x.example/gpü", "x.example/gpu\n", "x..example/gpu", "-x.example/gpu", "x.example/ "]
)
def test_neither_part_may_have_other_characters(name: str) -> None:
    """Nor end with a new line."""
    assert not is_extended_resource(name)
