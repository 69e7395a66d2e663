"""Exit statuses, and what the command line says when it is misused."""

from __future__ import annotations

import os
import subprocess
import sys

from collections.abc import Sequence
from pathlib import Path

import pytest
import yaml

from pcidevices import __version__
from pcidevices.api.crd import definitions
from pcidevices.cli import main
from tests.support.sysfs_tree import SysfsTree


HEAVY = ("aiohttp", "anyio", "asyncinotify", "kubernetes_asyncio", "msgspec", "pyroute2", "structlog", "yaml")


def run(*calls: Sequence[str], look_for: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Call the program in a process of its own, and say which of these modules it has imported."""
    script = f"""
import sys
from pcidevices.cli import main
for arguments in {calls!r}:
    try:
        main(arguments)
    except SystemExit:
        pass
print('IMPORTED', [name for name in {look_for!r} if name in sys.modules])
"""
    return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=30)


@pytest.mark.parametrize("arguments", [["version"], ["--version"]])
def test_the_version_is_told(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    try:
        status = main(arguments)
    except SystemExit as end:
        status = int(end.code or 0)

    assert status == 0
    assert capsys.readouterr().out.splitlines()[0] == f"pcidevices {__version__}"


def test_help_and_version_import_nothing_that_takes_long() -> None:
    done = run(["--help"], ["list", "--help"], ["agent", "--help"], ["version"], look_for=HEAVY)

    assert done.stdout.endswith("IMPORTED []\n"), done.stderr


def test_list_needs_no_cluster_and_imports_no_client_of_one(tree: SysfsTree) -> None:
    tree.plug("0000:04:00.0")
    done = run(["list"], look_for=("aiohttp", "kubernetes_asyncio"))

    assert done.stdout.endswith("IMPORTED []\n"), done.stderr


def test_the_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["--help"])

    assert end.value.code == 0
    told = capsys.readouterr().out
    assert all(f"    {command} " in told for command in ("agent", "list", "crds", "demo", "version"))


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["unknown"],
        ["list", "--unknown"],
        ["list", "-o", "xml"],
        ["list", "extra"],
        ["list", "--sys", "/sys"],
        ["crds", "--sysfs", "/sys"],
        ["list", "--sysfs"],
    ],
)
def test_a_command_line_that_makes_no_sense_ends_with_2(
    capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        main(arguments)

    assert end.value.code == 2
    assert capsys.readouterr().err.startswith("usage: pcidevices")


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        (["list", "--node-name", "Not A Name"], "--node-name"),
        (["list", "--sysfs", "/no/such/folder"], "/no/such/folder"),
        (["list", "--pci-ids", "/no/such/file"], "/no/such/file"),
        (["agent", "--resync", "soon"], "--resync"),
        (["agent", "--api-rate", "-1"], "--api-rate"),
        (["agent", "--kubeconfig", "/no/such/file"], "/no/such/file"),
        (["agent", "--simulate", "/no/such/file"], "--simulate"),
    ],
)
def test_a_setting_that_cannot_be_used_ends_with_2_and_is_named(
    capsys: pytest.CaptureFixture[str], tree: SysfsTree, arguments: list[str], names: str
) -> None:
    tree.plug("0000:04:00.0")

    assert main(arguments) == 2
    told = capsys.readouterr().err.splitlines()[-1]
    assert told.startswith("pcidevices: ")
    assert names in told


@pytest.mark.parametrize("level", ["loud", "INFO"])
def test_a_log_level_is_one_of_four(level: str) -> None:
    with pytest.raises(SystemExit) as end:
        main(["list", "--log-level", level])
    assert end.value.code == 2


def test_a_variable_that_cannot_be_used_is_named(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PCIDEVICES_NODE_NAME", "Not A Name")

    assert main(["list"]) == 2
    assert capsys.readouterr().err.startswith("pcidevices: PCIDEVICES_NODE_NAME: ")


def test_a_machine_without_a_pci_bus_ends_with_1(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "sys").mkdir()

    assert main(["list"]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("pcidevices: cannot list ")


def test_in_a_pod_the_agent_must_be_told_its_node(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The host's name is the pod's there."""
    monkeypatch.delenv("PCIDEVICES_NODE_NAME")
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")

    assert main(["agent"]) == 2
    assert "--node-name" in capsys.readouterr().err


def test_a_flag_wins_over_its_variable(capsys: pytest.CaptureFixture[str], tree: SysfsTree) -> None:
    tree.plug("0000:04:00.0")

    assert main(["list", "-o", "json", "--node-name", "juno"]) == 0
    assert '"nodeName": "juno"' in capsys.readouterr().out


def test_crds_prints_two_definitions_that_can_be_read_back(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["crds"]) == 0

    told = capsys.readouterr().out
    assert list(yaml.safe_load_all(told)) == definitions()
    assert [crd["metadata"]["name"] for crd in definitions()] == [
        "pcidevices.devices.harvesterhci.io",
        "pcideviceclaims.devices.harvesterhci.io",
    ]


def test_crds_prints_the_same_bytes_each_time(capsys: pytest.CaptureFixture[str]) -> None:
    main(["crds"])
    first = capsys.readouterr().out
    main(["crds"])

    assert capsys.readouterr().out == first


@pytest.mark.parametrize("arguments", [["crds"], ["list"], ["version"]])
def test_who_reads_only_the_beginning_gets_no_traceback(
    tree: SysfsTree, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    """``pcidevices list | head`` is no failure."""
    tree.plug("0000:04:00.0")
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "pcidevices.cli", *arguments],
            stdout=writer,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            timeout=30,
        )
    finally:
        os.close(writer)

    assert (done.returncode, done.stderr) == (0, "")
