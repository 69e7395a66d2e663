"""What the kubelet and KubeVirt make of a resource name."""

from __future__ import annotations

import pytest

from hypothesis import given
from hypothesis import strategies as st

from pcidevices.domain.resourcename import SOCKET_PATH_LIMIT, env_name, refusals, socket_name, why_invalid


FOLDER = "/var/lib/kubelet/device-plugins"
NAMES = st.from_regex(r"[a-z](-?[a-z]){0,9}\.com/[A-Za-z0-9][A-Za-z0-9_.-]{0,61}[A-Za-z0-9]", fullmatch=True)


@pytest.mark.parametrize(
    "name",
    [
        "nvidia.com/GP106_GEFORCE_GTX_1060_3GB",
        "a/b",
        f"{'a' * 244}/x",
        f"a.com/{'x' * 63}",
        "a-b.c0/A.b-c_d",
        "requests/x",
    ],
)
def test_what_the_kubelet_registers_is_valid(name: str) -> None:
    assert why_invalid(name) is None


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("gpu", "one slash"),
        ("a/b/c", "one slash"),
        ("", "one slash"),
        ("kubernetes.io/x", "reserved"),
        ("a.kubernetes.io/x", "reserved"),
        ("requests.com/x", "quota"),
        (f"{'a' * 245}/x", "244"),
        ("NVIDIA.com/x", "lower case"),
        ("/x", "lower case"),
        ("a..b/x", "lower case"),
        ("a.com\n/x", "lower case"),
        (f"a.com/{'x' * 64}", "63"),
        ("a.com/-x", "both ends"),
        ("a.com/", "both ends"),
        ("a.com/x y", "both ends"),
        ("a.com/x\n", "both ends"),
        ("a.com/ä", "both ends"),
    ],
)
def test_what_the_kubelet_refuses_is_invalid_and_told_why(name: str, why: str) -> None:
    assert why in str(why_invalid(name))


def test_only_slashes_and_dots_change_in_the_variable() -> None:
    """Hyphens stay, as in KubeVirt."""
    assert env_name("my-org.com/t4-a_b.c") == "PCI_RESOURCE_MY-ORG_COM_T4-A_B_C"


def test_of_names_that_share_a_variable_the_first_is_taken_and_the_others_are_told_of_it() -> None:
    refused = refusals(["a.com/x.y", "a.com/X_Y", "a.com/x-y", "b.com/z", "b.com/z"])

    assert list(refused) == ["a.com/X_Y"]
    assert refused["a.com/X_Y"].reason == "ResourceNameTaken"
    assert "a.com/x.y, which was claimed before" in refused["a.com/X_Y"].message
    assert "PCI_RESOURCE_A_COM_X_Y" in refused["a.com/X_Y"].message


def test_an_invalid_name_is_refused_and_takes_no_variable() -> None:
    refused = refusals(["A.com/x", "a.com/x"])

    assert list(refused) == ["A.com/x"]
    assert refused["A.com/x"].reason == "ResourceNameInvalid"
    assert "DNS name in lower case" in refused["A.com/x"].message


def test_a_socket_is_named_after_its_resource() -> None:
    name = "nvidia.com/GP106_GEFORCE_GTX_1060_3GB"

    assert socket_name(name, folder=FOLDER) == "kubevirt-nvidia.com-GP106_GEFORCE_GTX_1060_3GB.sock"


def test_a_name_that_just_fits_is_not_shortened() -> None:
    room = SOCKET_PATH_LIMIT - len(f"{FOLDER}/kubevirt-.sock")
    just, over = (f"a.com/{'x' * (room - 6 + more)}" for more in (0, 1))

    assert socket_name(just, folder=FOLDER) == f"kubevirt-a.com-{'x' * (room - 6)}.sock"
    assert len(f"{FOLDER}/{socket_name(over, folder=f'{FOLDER}/')}") <= SOCKET_PATH_LIMIT


def test_where_the_slash_stands_makes_another_socket() -> None:
    assert socket_name("a/b-c", folder=FOLDER) == "kubevirt-a-b-c.sock"
    assert socket_name("a-b/c", folder=FOLDER) == "kubevirt-a-b-c-4e84717d75.sock"


@given(st.lists(NAMES, unique=True), st.integers(1, 80))
def test_every_socket_fits_and_has_a_name_of_its_own(names: list[str], depth: int) -> None:
    """However long the folder's and the resource's names are, within what can fit at all."""
    folder = "/" + "d" * (depth - 1)
    sockets = {socket_name(name, folder=folder) for name in names}

    assert len(sockets) == len(names)
    assert all(len(f"{folder}/{socket}".encode()) <= SOCKET_PATH_LIMIT for socket in sockets)
