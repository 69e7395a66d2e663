"""Cards come and go."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.contract.sysfs.world import Background, Bus, wait_for


NIC, EDU, PORT, LEFT, RIGHT = "0000:00:03.0", "0000:00:0e.0", "0000:00:13.0", "0000:06:00.0", "0000:06:00.1"


class Slots:
    """The two empty ports of the machine; what is in them at the end is pulled."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._cards: dict[int, str] = {}

    def plug(self, port: int = 2) -> str:
        """A card that the host's driver has. The link to it is there a moment before it is announced."""
        with self._bus.recording() as recorder:
            address = self._cards[port] = self._bus.world.plug(port)
            wait_for(lambda: recorder.has("bind", address))
        return address

    def ask_back(self, port: int = 2) -> None:
        del self._cards[port]
        self._bus.world.unplug(port)

    def pull(self, port: int = 2) -> None:
        address = self._cards[port]
        self.ask_back(port)
        wait_for(lambda: not self._bus.is_present(address))

    def empty(self) -> None:
        for port in tuple(self._cards):
            self.pull(port)


@pytest.fixture
def slots(bus: Bus) -> Iterator[Slots]:
    slots = Slots(bus)
    yield slots
    slots.empty()


def test_a_card_is_announced_and_taken_by_its_host_driver(bus: Bus, slots: Slots) -> None:
    """`add` names no driver: there is none yet. There is no time for an override in between."""
    with bus.recording() as recorder:
        card = slots.plug()
        wait_for(lambda: recorder.has("bind", card))

    assert recorder.of("pci") == [f"add {card}", f"bind {card}"]
    add = recorder.last("add", card)
    assert "DRIVER" not in add
    assert (add["PCI_ID"], add["PCI_CLASS"], add["PCI_SUBSYS_ID"]) == ("8086:10D3", "20000", "8086:0000")
    assert add["MODALIAS"].startswith("pci:v00008086d000010D3")
    assert add["DEVPATH"].endswith(f"/0000:00:10.0/{card}")
    assert recorder.last("bind", card)["DRIVER"] == "e1000e"


def test_drivers_autoprobe_of_the_bus_stops_no_host_driver(bus: Bus, slots: Slots) -> None:
    """Hot-plug does not ask it."""
    switch = bus.folder / "drivers_autoprobe"
    bus.world.write(switch, "0")
    try:
        assert switch.read_text() == "0\n"
        card = slots.plug()
    finally:
        bus.world.write(switch, "1")

    assert bus.driver(card) == "e1000e"


def test_a_pulled_card_loses_its_driver_and_goes(bus: Bus, slots: Slots) -> None:
    card = slots.plug()
    with bus.recording() as recorder:
        slots.pull()
        wait_for(lambda: recorder.has("remove", card))

    assert recorder.of("pci") == [f"unbind {card}", f"remove {card}"]


def test_a_card_that_comes_back_is_new(bus: Bus, slots: Slots) -> None:
    """The host's driver has it, whatever had it before."""
    card = slots.plug()
    bus.to_vfio(card)
    group = bus.group(card)

    slots.pull()
    gone = not bus.has_node(group)
    slots.plug()

    assert gone
    assert bus.driver(card) == "e1000e"
    assert bus.read(card, "driver_override") == "(null)"


def test_group_numbers_are_lowest_free(bus: Bus, slots: Slots) -> None:
    """Two cards that come back in the other order have changed their numbers."""
    first, second = slots.plug(2), slots.plug(3)
    before = bus.group(first), bus.group(second)
    slots.pull(2)
    slots.pull(3)

    slots.plug(3)
    slots.plug(2)

    assert (bus.group(second), bus.group(first)) == before


def test_pulling_a_held_card_waits_and_stops_all_hot_plug(bus: Bus, slots: Slots) -> None:
    """It stays in sysfs without a driver. Drivers of others come and go meanwhile; rescan and unplug wait."""
    card = slots.plug()
    bus.to_vfio(card)

    with bus.held(card), bus.recording() as recorder:
        slots.ask_back()
        wait_for(lambda: bus.driver(card) is None)
        rescan = Background(bus.rescan)
        assert rescan.is_blocked(bus.world.moment)
        assert bus.is_present(card)
        bus.to_vfio(NIC)
        bus.world.release(card)
        rescan.join()
        wait_for(lambda: recorder.has("remove", card))

    assert not bus.is_present(card)
    assert [event for event in recorder.of("pci") if card in event] == [f"unbind {card}", f"remove {card}"]


def test_a_held_device_is_removed_when_it_is_released(bus: Bus, slots: Slots) -> None:
    """A write to `remove` hangs like an unbind, and like an unplug it stops all hot-plug."""
    card = slots.plug()
    bus.to_vfio(card)

    with bus.held(card):
        write = Background(lambda: bus.set(card, "remove", "1"))
        wait_for(lambda: bus.driver(card) is None)
        assert write.is_blocked(bus.world.moment)
        bus.world.release(card)
        write.join()

    assert not bus.is_present(card)
    bus.rescan()
    wait_for(lambda: bus.driver(card) == "e1000e")


def test_a_rescan_finds_what_was_removed(bus: Bus) -> None:
    group = bus.group(EDU)
    with bus.recording() as recorder:
        bus.set(EDU, "remove", "1")
        wait_for(lambda: recorder.has("remove", EDU))
        bus.rescan()
        wait_for(lambda: recorder.has("add", EDU))

    assert recorder.of("pci") == [f"remove {EDU}", f"add {EDU}"]
    assert bus.group(EDU) == group


def test_a_port_takes_all_below_it_along(bus: Bus) -> None:
    """First all lose their drivers, the last first; then all go, the port last."""
    with bus.recording() as recorder:
        bus.set(PORT, "remove", "1")
        wait_for(lambda: recorder.has("remove", PORT))
        gone = [bus.is_present(address) for address in (PORT, LEFT, RIGHT)]
        bus.rescan()
        wait_for(lambda: recorder.has("bind", RIGHT))

    assert gone == [False, False, False]
    everything = [event for event in recorder.of("pci") if not event.startswith("change")]
    assert everything[:3] == [f"unbind {RIGHT}", f"unbind {LEFT}", f"unbind {PORT}"]
    assert everything[3:6] == [f"remove {LEFT}", f"remove {RIGHT}", f"remove {PORT}"]
    assert everything[6:9] == [f"add {PORT}", f"add {LEFT}", f"add {RIGHT}"]
    assert everything[9:] == [f"bind {PORT}", f"bind {LEFT}", f"bind {RIGHT}"]
    assert bus.group(LEFT) == bus.group(RIGHT)
