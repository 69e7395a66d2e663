"""Anything that can be seen or published: strategies for the properties of the domain."""

from __future__ import annotations

import string

from dataclasses import replace

import msgspec

from hypothesis import strategies as st

from pcidevices.api.v1beta1 import Condition
from pcidevices.domain.address import PciAddress
from pcidevices.domain.device import PciDevice, PhysicalFunction, Unreadable, VirtualFunction
from pcidevices.domain.inventory import Policy
from pcidevices.domain.naming import PciNames
from pcidevices.domain.published import Node, Owner, PublishedDevice
from tests.support.builders import LONG_AGO, NODE, a_device, a_gpu, a_nic, a_node, a_published


_DNS = string.ascii_lowercase + string.digits
_PLACE = PciAddress.parse("0000:04:00.0")


DOMAINS = st.one_of(st.just(0), st.integers(0, 0xFFFF), st.integers(0x10000, 0xFFFFFFFF))


def addresses(domains: st.SearchStrategy[int] = DOMAINS) -> st.SearchStrategy[PciAddress]:
    """Every address there can be, domains of five to eight digits among them."""
    return st.builds(PciAddress, domains, st.integers(0, 0xFF), st.integers(0, 0x1F), st.integers(0, 7))


def node_names() -> st.SearchStrategy[str]:
    """Names of nodes, also such as look like the names of devices."""
    label = st.text(f"{_DNS}-", min_size=1, max_size=12).map(lambda s: f"n{s}0")
    nested = st.builds(lambda outer, address: address.object_name(outer), label, addresses())
    return st.one_of(label, nested, st.lists(label, min_size=2, max_size=3).map(".".join))


def _maybe(*values: str) -> st.SearchStrategy[str | None]:
    return st.sampled_from((None, *values))


def devices() -> st.SearchStrategy[PciDevice]:
    """Whatever may sit at 0000:04:00.0."""
    return st.builds(
        PciDevice,
        address=st.just(_PLACE),
        vendor=st.sampled_from(("10de", "8086")),
        device=st.sampled_from(("1c02", "15f9")),
        class_code=st.sampled_from(("030000", "060400", "020000")),
        revision=_maybe("a1"),
        subsystem=_maybe("1458:3702"),
        driver=_maybe("nvidia", "vfio-pci"),
        iommu_group=_maybe("14", "0"),
        iommu_group_members=st.sampled_from(((), (_PLACE,))),
        numa_node=st.sampled_from((None, 0, 1)),
        is_bridge=st.booleans(),
        boot_vga=st.booleans(),
        sriov=st.sampled_from((None, PhysicalFunction(8, 0), VirtualFunction(_PLACE))),
        serial=_maybe("S123"),
        names=st.builds(PciNames, _maybe("NVIDIA Corporation"), _maybe("GP106", "GP106 [new]"), _maybe("Display")),
        network_interfaces=st.sampled_from(((), ("eno1",))),
    )


def observations() -> st.SearchStrategy[PciDevice | Unreadable | None]:
    """What a scan may say of the place."""
    return st.one_of(st.none(), st.just(Unreadable(str(_PLACE), "vendor is missing")), devices())


def nodes() -> st.SearchStrategy[Node | None]:
    """The Node of today, or none yet."""
    return st.sampled_from((None, a_node(), a_node(uid="node-2")))


def policies() -> st.SearchStrategy[Policy]:
    """Whatever the settings say."""
    return st.builds(Policy, simulated=st.booleans(), bridges=st.booleans())


def conditions() -> st.SearchStrategy[tuple[Condition, ...]]:
    """One of each type at most, as the API server sees to."""
    one = st.builds(
        Condition,
        type=st.sampled_from(("Present", "Healthy", "Permitted")),
        status=st.sampled_from(("True", "False", "Unknown")),
        reason=st.sampled_from(("Seen", "Else")),
        last_transition_time=st.sampled_from((LONG_AGO, "2026-02-02T00:00:00Z")),
    )
    return st.lists(one, unique_by=lambda c: c.type, max_size=3).map(tuple)


def published() -> st.SearchStrategy[PublishedDevice]:
    """The object as anyone may have left it."""
    return st.builds(
        _left_so,
        st.sampled_from((a_gpu(), a_nic(str(_PLACE)), a_device(str(_PLACE)))),
        conditions=conditions(),
        owners=st.sampled_from(
            ((), (a_node().as_owner,), (a_node(uid="node-0").as_owner, Owner("v1", "ConfigMap", NODE, "cm-1")))
        ),
        foreign=st.dictionaries(st.sampled_from(("team", "nodename")), st.sampled_from(("blue", "janus"))),
        simulated=st.booleans(),
        deleting=st.booleans(),
        empty=st.booleans(),
    )


def _left_so(
    device: PciDevice,
    *,
    conditions: tuple[Condition, ...],
    owners: tuple[Owner, ...],
    foreign: dict[str, str],
    simulated: bool,
    deleting: bool,
    empty: bool,
) -> PublishedDevice:
    whole = a_published(device, conditions=conditions, owners=owners, simulated=simulated, deleting=deleting)
    status = type(whole.status)() if empty else whole.status
    status = msgspec.structs.replace(status, conditions=conditions)
    return replace(whole, labels={**whole.labels, **foreign}, status=status)
