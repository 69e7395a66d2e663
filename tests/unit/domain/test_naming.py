"""The names that virtual machines ask for."""

from __future__ import annotations

import pytest

from hypothesis import example, given
from hypothesis import strategies as st

from pcidevices.domain.naming import resource_name

from .go_names import kubelet_takes, socket_fits


NVIDIA, INTEL = "NVIDIA Corporation", "Intel Corporation"
AMD = "Advanced Micro Devices, Inc. [AMD/ATI]"
ANY_NAME = st.none() | st.text() | st.text("[]/ _.-aZ9\u017f\u00a0\u1680", max_size=80)


@pytest.mark.parametrize(
    ("vendor", "product", "expected"),
    [
        (NVIDIA, "GP106 [GeForce GTX 1060 3GB]", "nvidia.com/GP106_GEFORCE_GTX_1060_3GB"),
        (INTEL, "Ethernet Connection (11) I219-LM", "intel.com/ETHERNET_CONNECTION_11_I219LM"),
        (AMD, "R481 [Radeon X850 XT AGP]", "amd.com/R481_RADEON_X850_XT_AGP"),
        (
            "Mellanox Technologies",
            "MT2892 Family [ConnectX-6 Dx Flash Recovery]",
            "mellanox.com/MT2892_FAMILY_CONNECTX6_DX_FLASH_RECOVERY",
        ),
        (NVIDIA, "GA104 [RTX A4500 Embedded GPU ]", "nvidia.com/GA104_RTX_A4500_EMBEDDED_GPU"),
        ("Test", "!!!", "test.com/5678"),
    ],
)
def test_names_are_those_in_the_field(vendor: str, product: str, expected: str) -> None:
    assert resource_name(vendor, product, "5678") == expected


@pytest.mark.parametrize(
    ("vendor", "expected"),
    [
        pytest.param(None, "unknown", id="not in the database"),
        pytest.param("unknown", "unknown", id="named so"),
        pytest.param("A [] [B/C]", "b", id="the first bracket that is not empty"),
        pytest.param("A [B] [C]", "b", id="the first of two"),
        pytest.param("Ab\u00a0Cd Ef", "abcd", id="only a plain space ends the word"),
        pytest.param("3Com Corp", "3com", id="digits stay"),
        pytest.param("O2-Micro, Inc.", "o2micro", id="signs drop out"),
        pytest.param("A [B", "a", id="never closed: the ancestor crashes"),
        pytest.param("[]", "unknown", id="empty: the ancestor crashes"),
        pytest.param(" Acme", "unknown", id="no word: the ancestor's name is invalid"),
        pytest.param("\u00c4\u00d6 Gmbh", "unknown", id="no ASCII: the ancestor's name is invalid"),
        pytest.param("Requests Inc", "unknown", id="taken for a quota by the kubelet"),
    ],
)
def test_a_vendor_is_one_lower_case_word(vendor: str | None, expected: str) -> None:
    assert resource_name(vendor, None, "5678") == f"{expected}.com/5678"


@pytest.mark.parametrize(
    ("product", "expected"),
    [
        pytest.param(None, "5678", id="not in the database"),
        pytest.param("unknown", "5678", id="named so"),
        pytest.param("Unknown", "UNKNOWN", id="only in lower case is it no name"),
        pytest.param("a/b.c", "A_B_C", id="slash and dot part words"),
        pytest.param("a \t\n\f\r b", "A_B", id="white space is one gap"),
        pytest.param("a\vb", "AB", id="a vertical tab is no white space inside"),
        pytest.param("\va\v", "A", id="but is at the ends"),
        pytest.param("\x1ca\x1c", "A", id="file separators are none, and drop out"),
        pytest.param("a\u00a0b", "AB", id="nor is a no-break space"),
        pytest.param("a / b", "A___B", id="gaps beside a slash stay"),
        pytest.param("stra\u00dfe \ufb01x", "STRAE_X", id="one character for one: these have none"),
        pytest.param("\u0131\u017f", "IS", id="these have one"),
        pytest.param("a\u00b2\u0663", "A", id="digits are ASCII's"),
        pytest.param("a_b - . ", "A_B", id="no underscore at the end"),
        pytest.param("_a", "A", id="nor at the beginning: the ancestor's name is invalid"),
        pytest.param("\u00b5 a", "A", id="nor after a word that dropped out"),
    ],
)
def test_a_product_is_upper_case_words_joined(product: str | None, expected: str) -> None:
    assert resource_name("Acme", product, "5678") == f"acme.com/{expected}"


@pytest.mark.parametrize(
    ("product", "expected"),
    [
        pytest.param("x" * 52, "X" * 52, id="just fits"),
        pytest.param("x" * 53, "5678", id="one too many"),
        pytest.param("y" * 36 + " virtual function", "Y" * 36 + "_VF", id="shortened"),
        pytest.param("y" * 35 + " virtual function", "Y" * 35 + "_VIRTUAL_FUNCTION", id="no need to"),
        pytest.param("y" * 45 + " virtual functions", "Y" * 45 + "_VFS", id="inside a longer word"),
        pytest.param("virtual function " * 3 + "z" * 20, "VF_VF_VF_" + "Z" * 20, id="each of them"),
        pytest.param("y" * 60 + " virtual function", "5678", id="still too long"),
    ],
)
def test_a_name_too_long_for_the_plugins_socket_is_shortened(product: str, expected: str) -> None:
    assert resource_name("Acme", product, "5678") == f"acme.com/{expected}"


@given(ANY_NAME, ANY_NAME)
@example("[", "_")
@example("requests", ".")
@example("[Requests/x]", None)
@example("v" * 300, "p" * 300)
def test_any_text_gives_a_name_that_the_kubelet_takes(vendor: str | None, product: str | None) -> None:
    assert kubelet_takes(resource_name(vendor, product, "5678"))


@given(ANY_NAME, ANY_NAME)
@example("v" * 52, None)
@example("v" * 53, None)
def test_any_name_leaves_room_for_the_plugins_socket(vendor: str | None, product: str | None) -> None:
    assert socket_fits(resource_name(vendor, product, "5678"))
