"""`kubectl pci doctor` as a person meets it: targets, forms, exit status; and what it costs."""

from __future__ import annotations

import argparse
import json

from typing import Any

import pytest

from anyio import to_thread

from pcidevices.kubectl import doctor
from tests.support.agent import KIND, until
from tests.support.machine import GPU, NIC
from tests.support.ward import NODE, Ward


async def asked(ward: Ward, *words: str, output: str = "", fresh: str = "true") -> int:
    flags = argparse.Namespace(what=list(words), timeout=5.0, fresh=fresh, output=output)
    return await to_thread.run_sync(lambda: doctor.run(flags, ward.kubectl))


def told(capsys: pytest.CaptureFixture[str]) -> list[str]:
    """What the command printed; the agent's log goes the same way here."""
    return [line for line in capsys.readouterr().out.splitlines() if not line.startswith("20")]


async def test_a_device_is_found_by_name_address_or_part_of_its_description(
    ward: Ward, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    for words in ([f"{NODE}-000002000"], [NODE, "02:00.0"], ["gtx"]):
        assert await asked(ward, *words, fresh="false") == 1
        assert told(capsys)[0] == f"{NODE}-000002000: {GPU} on {NODE}"


async def test_what_is_wrong_is_told_with_how_to_see_it_and_what_to_do(
    ward: Ward, capsys: pytest.CaptureFixture[str]
) -> None:
    ward.claim(GPU)
    await ward.told(GPU, "GroupNotViable")
    capsys.readouterr()
    status = await asked(ward, f"{NODE}-000002000")
    lines = told(capsys)
    (at,) = (number for number, line in enumerate(lines) if "GroupNotViable" in line)

    assert status == 1
    assert [line.split(maxsplit=1) for line in lines[at + 1 :]] == [
        ["see:", f"ls /sys/bus/pci/devices/{GPU}/iommu_group/devices"],
        ["next:", f"kubectl claim --group {NODE}-000002000"],
        ["more:", "docs/reference/reasons.md#groupnotviable"],
    ]


async def test_a_program_gets_the_links_and_the_cause(ward: Ward, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    await asked(ward, f"{NODE}-000001000", output="json")
    found: dict[str, Any] = json.loads("\n".join(told(capsys)))[0]

    assert [link["what"] for link in found["links"]] == ["agent", "device", "claim"]
    assert found["cause"] == found["links"][-1]
    assert found["cause"]["reason"] == "NotClaimed"


async def test_a_node_is_told_of_with_its_claims_that_are_not_ready(
    ward: Ward, capsys: pytest.CaptureFixture[str]
) -> None:
    await ward.make_ready(NIC)
    ward.claim(GPU)
    await ward.told(GPU, "GroupNotViable")
    capsys.readouterr()
    for words in ([NODE], []):
        assert await asked(ward, *words) == 1
        lines = told(capsys)
        assert lines[0] == f"node {NODE}"
        assert any("claim " in line and f"GroupNotViable: {NODE}-000002000" in line for line in lines)
        assert lines[-1].endswith(" 1 of 2 Ready")


async def test_all_is_well_and_the_status_says_so(ward: Ward) -> None:
    await ward.make_ready(NIC)

    assert await asked(ward) == 0


async def test_a_question_costs_two_writes_and_rest_none(ward: Ward) -> None:
    """The annotation and the answer; reads of the person's own are not counted."""
    await ward.scene.settled()
    before = ward.scene.writes
    await asked(ward, f"{NODE}-000001000")
    await ward.scene.settled()

    assert ward.scene.writes - before == 2


async def test_an_agent_that_has_just_started_answers_what_was_asked_before(ward: Ward) -> None:
    await ward.stop_agent()
    name = f"{NODE}-000001000"
    ward.scene.server.patch(KIND, name, {"metadata": {"annotations": {"devices.harvesterhci.io/look": "before"}}})
    async with ward.scene.agent():
        await until(lambda: "look" in (ward.scene.device(NIC) or {})["status"])

    assert (ward.scene.device(NIC) or {})["status"]["look"]["request"] == "before"
