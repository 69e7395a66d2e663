"""Flags, help, failures: a plug-in behaves as kubectl does."""

from __future__ import annotations

import argparse
import io
import json

from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from typing import Any

import msgspec
import pytest
import yaml

from pcidevices.errors import KubectlFailed
from pcidevices.kubectl import COMMANDS, describe, run_claim, run_pci, run_unclaim
from pcidevices.kubectl.commandline import missing_role, run_group
from pcidevices.kubectl.completion import claim as complete_claim
from pcidevices.kubectl.completion import pci as complete_pci
from pcidevices.kubectl.describe import group_rows, rows
from pcidevices.kubectl.duration import duration
from pcidevices.kubectl.flags import Parser, add_global_flags
from pcidevices.kubectl.making import claim_for
from pcidevices.kubectl.objects import owners
from pcidevices.kubectl.output import print_objects
from pcidevices.kubectl.resources import amounts, offered_as, shown
from pcidevices.kubectl.vm import lines
from tests.support.clusterobjects import GPU, NIC, READY, SOUND, a_claim, a_device, a_gpu, a_sound
from tests.support.smallcluster import SmallCluster


Run = Callable[[Sequence[str]], int]


def parsed(*argv: str) -> tuple[argparse.Namespace, list[str]]:
    parser, passed_on = Parser(prog="kubectl x", allow_abbrev=False), list[str]()
    parser.add_argument("word", nargs="*")
    parser.add_argument("--wait", action="store_true")
    add_global_flags(parser, passed_on)
    return parser.parse_args(argv), passed_on


def test_what_happened_in_one_second_is_told_in_its_order(capsys: pytest.CaptureFixture[str]) -> None:
    """Events have microseconds; those of older programs have none, and come first in their second."""
    cluster = SmallCluster()
    cluster.has(a_gpu())
    happened = {
        "Ready": {"eventTime": "2026-03-04T05:06:07.900000Z"},
        "GroupNotViable": {"eventTime": "2026-03-04T05:06:07.100000Z"},
        "Old": {"lastTimestamp": "2026-03-04T05:06:07Z"},
    }
    events = ({"metadata": {"name": name.lower()}, "reason": name, **when} for name, when in happened.items())
    cluster.put("/api/v1/namespaces/default/events", *events)
    parser = argparse.ArgumentParser()
    describe.add_flags(parser)
    describe.run(parser.parse_args([a_gpu().name]), cluster)
    shown = capsys.readouterr().out.partition("Events:\n")[2].splitlines()

    assert [line.split()[0] for line in shown] == ["2026-03-04T05:06:07"] * 3
    assert [line.split()[1] for line in shown] == ["Old:", "GroupNotViable:", "Ready:"]


def test_flags_of_kubectl_are_kept_in_their_order() -> None:
    flags, passed_on = parsed(
        "--context", "a", "w", "--as=bob", "--as-group", "g1", "--as-group=g2", "-n", "ns", "-s=https://x", "-v=6",
        "--insecure-skip-tls-verify",
    )  # fmt: skip

    assert flags.word == ["w"]
    assert passed_on == [
        "--context=a",
        "--as=bob",
        "--as-group=g1",
        "--as-group=g2",
        "--namespace=ns",
        "--server=https://x",
        "-v=6",
        "--insecure-skip-tls-verify",
    ]


@pytest.mark.parametrize(("argv", "wait"), [(["--wait=true"], True), (["--wait=false"], False), (["--wait"], True)])
def test_a_switch_can_be_spelled_out(argv: list[str], wait: bool) -> None:  # noqa: FBT001
    assert parsed(*argv)[0].wait is wait


def test_a_wrong_flag_is_told_as_kubectl_tells_it(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        run_unclaim(["--nonsense"])

    assert ended.value.code == 1
    assert capsys.readouterr().err == (
        "error: unrecognized arguments: --nonsense\nSee 'kubectl unclaim --help' for usage.\n"
    )


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_that_begins_with_what_it_does(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        run_pci([command, "--help"])

    assert ended.value.code == 0
    assert f"kubectl pci {command}" in capsys.readouterr().out


@pytest.mark.parametrize("run", [run_claim, run_unclaim])
def test_naming_nothing_is_an_error_that_says_where_to_look(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([]) == 1
    assert capsys.readouterr().err.startswith("error: no device is named; `kubectl pci list")


def test_to_be_protected_is_overridden_for_named_devices_only(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_claim(["--allow-protected", "-l", "a=b"]) == 1
    assert "named one by one" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("line", "role"),
    [
        ('User "bob" cannot list resource "pcidevices" in API group "x"', "pcidevices-viewer"),
        ('User "bob" cannot create resource "pcideviceclaims" in API group "x"', "pcidevices-claimer"),
        ('User "bob" cannot delete resource "pcideviceclaims" in API group "x"', "pcidevices-claimer"),
    ],
)
def test_a_refusal_of_the_server_names_the_missing_role(line: str, role: str) -> None:
    error = KubectlFailed((f"Error from server (Forbidden): it is forbidden: {line}",), status=1)

    assert f"ClusterRole {role};" in missing_role(error)


@pytest.mark.parametrize(
    "line", ["Error from server (NotFound): no", "Error from server (Forbidden): a policy says no"]
)
def test_no_role_is_named_where_none_would_do(line: str) -> None:
    assert missing_role(KubectlFailed((line,), status=1)) == ""


def test_a_reader_who_has_seen_enough_is_no_failure() -> None:
    class Full(io.StringIO):
        def write(self, _text: str) -> int:
            raise BrokenPipeError

        def fileno(self) -> int:
            return sink.fileno()

    with open("/dev/null", "w") as sink, redirect_stdout(Full()):  # noqa: PTH123
        assert run_group("pci", {"printing": ("tests.unit.kubectl.printing", "")}, ["printing"]) == 0


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("1m30s", 90), ("2h", 7200), ("5", 5), ("500ms", 0.5)])
def test_times_are_spelled_as_kubectl_spells_them(text: str, seconds: float) -> None:
    assert duration(text) == seconds


@pytest.mark.parametrize("text", ["", "soon", "5x", "s", "-5s"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError):
        duration(text)


def test_a_claim_bears_its_devices_name_and_only_what_was_asked() -> None:
    plain = claim_for(a_gpu(), "alice", allowed=False, reason="", unpooled=False)
    full = claim_for(a_gpu(), "alice", allowed=True, reason="tests", unpooled=True)

    assert plain["metadata"] == {"name": "janus-00005e000"}
    assert plain["spec"] == {"address": GPU, "nodeName": "janus", "userName": "alice"}
    assert full["metadata"] == {
        "name": "janus-00005e000",
        "annotations": {
            "devices.harvesterhci.io/allow-protected": GPU,
            "devices.harvesterhci.io/reason": "tests",
        },
    }
    assert full["spec"] == {"address": GPU, "nodeName": "janus", "userName": "alice", "disableResourcePooling": True}


OBJECTS = [msgspec.json.encode({"kind": "X", "metadata": {"name": n, "managedFields": [1]}}) for n in ("a", "b")]


@pytest.mark.parametrize(("form", "load"), [("json", json.loads), ("yaml", yaml.safe_load)])
def test_objects_are_printed_as_a_list_that_kubectl_can_read(
    form: str, load: Callable[[str], Any], capsys: pytest.CaptureFixture[str]
) -> None:
    print_objects(OBJECTS, form)

    whole = load(capsys.readouterr().out)
    assert (whole["kind"], whole["apiVersion"]) == ("List", "v1")
    assert whole["items"] == [{"kind": "X", "metadata": {"name": name}} for name in ("a", "b")]


@pytest.mark.parametrize(("form", "load"), [("json", json.loads), ("yaml", yaml.safe_load)])
def test_a_list_of_nothing_is_a_list(form: str, load: object, capsys: pytest.CaptureFixture[str]) -> None:
    print_objects([], form)

    assert callable(load)
    assert load(capsys.readouterr().out)["items"] == []


def test_one_object_can_be_printed_bare(capsys: pytest.CaptureFixture[str]) -> None:
    print_objects(OBJECTS[:1], "yaml", bare=True)

    assert yaml.safe_load(capsys.readouterr().out)["metadata"] == {"name": "a"}


def test_a_machine_gets_displays_as_gpus_and_all_else_as_host_devices() -> None:
    found = lines([a_gpu(), a_sound(), a_gpu("venus")], {})

    assert found == {
        "devices": {
            "gpus": [
                {"name": "gp106-geforce-gtx-1060-3gb", "deviceName": "nvidia.com/GP106_GEFORCE_GTX_1060_3GB"},
                {"name": "gp106-geforce-gtx-1060-3gb-2", "deviceName": "nvidia.com/GP106_GEFORCE_GTX_1060_3GB"},
            ],
            "hostDevices": [
                {
                    "name": "gp106-high-definition-audio-controller",
                    "deviceName": "nvidia.com/GP106_HIGH_DEFINITION_AUDIO_CONTROLLER",
                }
            ],
        }
    }


def test_an_unpooled_device_has_a_resource_of_its_own() -> None:
    claim = a_claim(GPU, disable_resource_pooling=True)

    assert offered_as(a_gpu(), claim) == "nvidia.com/janus-00005e000"
    assert offered_as(a_gpu(), a_claim(GPU)) == offered_as(a_gpu(), None) == "nvidia.com/GP106_GEFORCE_GTX_1060_3GB"


def test_free_is_what_is_ready_and_nobody_has() -> None:
    devices = [a_device(NIC, in_use_by=("default/vm",)), a_device("0000:3c:00.0"), a_device("0000:3d:00.0"), a_gpu()]
    taken = owners([a_claim(NIC, "janus", READY), a_claim("0000:3c:00.0", "janus", READY), a_claim("0000:3d:00.0")])
    found = amounts(devices, taken)

    (row,) = shown(found, None, everything=False)
    assert row[2:] == ["3", "3", "2", "1", "1", "-"]
    assert len(list(shown(found, {}, everything=True))) == 2


def test_a_description_tells_of_the_claim_and_of_the_group() -> None:
    gpu, taken = a_gpu(in_use_by=("default/vm",)), owners([a_claim(GPU, "janus", READY), a_claim(SOUND, user="bob")])
    told = dict([*rows(gpu, taken[gpu.place]), *group_rows(gpu, [gpu, a_sound()], taken)])

    assert told["In use by:"] == "default/vm"
    assert told["  By:"].startswith("alice, ")
    assert told["IOMMU group:"] == "15"
    assert told[""].endswith("[snd_hda_intel], claimed by bob")


@pytest.mark.parametrize(
    ("complete", "argv", "expected"),
    [
        (complete_pci, ["t"], ["tree", "top"]),
        (complete_pci, ["list", "--un"], ["--unclaimed"]),
        (complete_pci, ["--context", "x", "list", "-o", "y"], ["yaml"]),
        (complete_claim, ["--dry-run=s"], ["--dry-run=server"]),
        (complete_claim, ["--al"], ["--allow-protected"]),
    ],
)
def test_what_needs_no_cluster_is_completed_without_one(
    complete: Run, argv: list[str], expected: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert complete(argv) == 0

    *lines_, directive = capsys.readouterr().out.splitlines()
    assert ([line.partition("\t")[0] for line in lines_], directive) == (expected, ":4")


def test_files_are_completed_where_a_flag_takes_one(capsys: pytest.CaptureFixture[str]) -> None:
    complete_claim(["--kubeconfig", ""])

    assert capsys.readouterr().out == ":0\n"


def test_completion_is_silent_about_what_goes_wrong(capsys: pytest.CaptureFixture[str]) -> None:
    complete_claim(["--server=http://127.0.0.1:1", ""])

    assert tuple(capsys.readouterr()) == (":4\n", "")
