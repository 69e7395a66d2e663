"""Which devices a person means."""

from __future__ import annotations

import pytest

from pcidevices.errors import ConfigError, NotFound
from pcidevices.kubectl.claimed import meant, with_groups
from pcidevices.kubectl.selection import choose, wanted
from tests.support.clusterobjects import BRIDGE, GPU, NIC, SOUND, TWIN, a_claim, a_device, a_gpu, a_sound


DEVICES = [
    a_device(NIC, network_interfaces=("ens1",)),
    a_device(TWIN),
    a_gpu(),
    a_sound(),
    a_device(BRIDGE),
    a_device(NIC, "venus"),
]


def names(*words: str) -> list[str]:
    return [device.name for device in choose(DEVICES, words)]


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["janus-00003b000"], "janus-00003b000"),
        (["janus", NIC], "janus-00003b000"),
        (["venus", "3b:00.0"], "venus-00003b000"),
        (["venus/3b:00.0"], "venus-00003b000"),
        (["5e:00.0"], "janus-00005e000"),
        (["0000:5E:00.1"], "janus-00005e001"),
        (["gtx"], "janus-00005e000"),
        (["GeForce GTX 1060"], "janus-00005e000"),
        (["nvidia.com/GP106_GEFORCE_GTX_1060_3GB"], "janus-00005e000"),
        (["3c000"], "janus-00003c000"),
        (["ens1"], "janus-00003b000"),
    ],
)
def test_any_unambiguous_part_names_a_device(words: list[str], found: str) -> None:
    assert names(*words) == [found]


def test_each_device_is_chosen_once_in_the_order_of_the_words() -> None:
    assert names("gtx", "janus", "3c:00.0", GPU) == ["janus-00005e000", "janus-00003c000"]


def test_what_is_ambiguous_lists_the_candidates_one_a_line() -> None:
    with pytest.raises(ConfigError) as error:
        names("3b:00.0")

    first, *lines = str(error.value).splitlines()
    assert first == "'3b:00.0' means 2 devices; name one of them:"
    assert [line.split()[0] for line in lines] == ["janus-00003b000", "venus-00003b000"]


def test_of_very_many_candidates_the_first_are_listed() -> None:
    many = [a_device(f"0000:{bus:02x}:00.0") for bus in range(50)]

    with pytest.raises(ConfigError, match="and 30 more"):
        choose(many, ["82599"])


def test_what_is_exactly_so_comes_before_what_is_so_in_part() -> None:
    """A node can be called as another with something behind it."""
    devices = [a_device(NIC, "a"), a_device(NIC, "b-a")]

    assert [device.name for device in choose(devices, ["a-00003b000"])] == ["a-00003b000"]


@pytest.mark.parametrize("word", ["radeon", "ff:00.0", "venus/5e:00.0"])
def test_what_nothing_matches_says_where_to_look(word: str) -> None:
    with pytest.raises(NotFound, match="kubectl pci list"):
        names(word)


def test_hostile_text_in_a_candidate_cannot_move_the_cursor() -> None:
    devices = [a_device(NIC, description="evil\x1b[2J"), a_device(TWIN, description="evil\r")]

    with pytest.raises(ConfigError) as error:
        choose(devices, ["evil"])

    assert str(error.value).isascii()
    assert "\x1b" not in str(error.value)


def test_a_node_goes_with_the_address_behind_it_and_with_nothing_else() -> None:
    assert [str(one) for one in wanted(["janus", "5e:00.0", "janus", "gtx"], ["janus"])] == [
        "janus 5e:00.0",
        "janus",
        "gtx",
    ]


CLAIMS = [a_claim(GPU), a_claim(SOUND, name="music"), a_claim("0000:99:00.0")]


@pytest.mark.parametrize(
    ("word", "name"),
    [("gtx", "janus-00005e000"), ("music", "music"), ("audio", "music"), ("99:00.0", "janus-000099000")],
)
def test_a_claim_is_meant_by_its_name_by_its_device_or_by_the_address_of_one_that_is_gone(word: str, name: str) -> None:
    assert [claim.name for claim in meant(CLAIMS, DEVICES, [word])] == [name]


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("janus-00003b000", "janus-00003b000 is not claimed"),
        ("82599", "none of the devices that match '82599' is claimed"),
        ("radeon", "no claim, and no claimed device, matches 'radeon'"),
    ],
)
def test_what_is_not_claimed_cannot_be_given_back(word: str, said: str) -> None:
    with pytest.raises(NotFound, match=said):
        meant(CLAIMS, DEVICES, [word])


def test_a_group_is_given_back_as_a_whole() -> None:
    assert [claim.name for claim in with_groups(CLAIMS[:1], CLAIMS, DEVICES)] == ["janus-00005e000", "music"]
