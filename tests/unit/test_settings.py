"""What a person can set, how, and what is told of what cannot be used."""

from __future__ import annotations

import argparse

from pathlib import Path

import pytest

from hypothesis import given
from hypothesis import strategies as st

from pcidevices.domain.address import PciAddress
from pcidevices.errors import ConfigError
from pcidevices.settings import SETTINGS, Setting, add_flags, own_node_name, resolve
from pcidevices.settings.texts import node_name, seconds


COMMANDS = sorted(frozenset().union(*(setting.commands for setting in SETTINGS)))


def settings(*argv: str, command: str = "agent", **environment: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_flags(parser, command)
    return resolve(command, parser.parse_args(argv), environment)


def test_a_flag_beats_a_variable_and_a_variable_the_default() -> None:
    assert settings().resync == 600
    assert settings(PCIDEVICES_RESYNC="5m").resync == 300
    assert settings("--resync", "90s", PCIDEVICES_RESYNC="5m").resync == 90


def test_our_variable_beats_the_usual_one() -> None:
    assert settings(NODE_NAME="titan").node_name == "titan"
    assert settings(NODE_NAME="titan", PCIDEVICES_NODE_NAME="janus").node_name == "janus"


def test_an_empty_variable_is_not_set() -> None:
    """Manifests have ``value: ""`` for what is left alone."""
    assert settings(PCIDEVICES_RESYNC="").resync == 600


def test_what_a_person_gave_is_told_from_defaults() -> None:
    given = settings("--sysfs", "/host/sys", PCIDEVICES_RESYNC="5m").given

    assert given == {"sysfs": "--sysfs", "resync": "PCIDEVICES_RESYNC"}


@pytest.mark.parametrize(
    ("argv", "environment", "named"),
    [
        (["--resync", "soon"], {}, "--resync: 'soon'"),
        ([], {"PCIDEVICES_RESYNC": "soon"}, "PCIDEVICES_RESYNC: 'soon'"),
        ([], {"NODE_NAME": "Janus"}, "NODE_NAME: 'Janus'"),
        ([], {"PCIDEVICES_LOG_LEVEL": "loud"}, "PCIDEVICES_LOG_LEVEL: 'loud' is none of debug"),
        ([], {"PCIDEVICES_BRIDGES": "maybe"}, "PCIDEVICES_BRIDGES: 'maybe'"),
        (["--api-rate", "0"], {}, "--api-rate: '0'"),
        (["--api-rate", "nan"], {}, "--api-rate: 'nan'"),
    ],
)
def test_a_message_names_the_flag_or_the_variable_and_the_text(
    argv: list[str], environment: dict[str, str], named: str
) -> None:
    with pytest.raises(ConfigError) as error:
        settings(*argv, **environment)

    assert str(error.value).startswith(named)


@pytest.mark.parametrize("text", ["0.5", "0", "-1", "2.5", "inf", "many"])
def test_a_burst_is_a_whole_number_above_zero(text: str) -> None:
    with pytest.raises(ConfigError, match="--api-burst"):
        settings(f"--api-burst={text}")


@pytest.mark.parametrize(
    ("text", "value"),
    [("300", 300), ("90s", 90), ("5m", 300), ("1h", 3600), ("1.5m", 90), ("250ms", 0.25)],
)
def test_a_time_has_a_unit_or_is_in_seconds(text: str, value: float) -> None:
    assert seconds(text) == value


@pytest.mark.parametrize("text", ["", "0", "0s", "-5", "5 m", "m", "5d", "1h30m", "5M", "1e3", "inf", "nan", "5s\n"])
def test_what_is_no_time_is_refused_by_name(text: str) -> None:
    with pytest.raises(ValueError, match="is no time"):
        seconds(text)


@pytest.mark.parametrize(("text", "value"), [("true", True), ("YES", True), ("1", True), ("no", False), ("0", False)])
def test_a_switch_may_be_given_in_several_words(text: str, *, value: bool) -> None:
    assert settings(PCIDEVICES_BRIDGES=text).bridges is value


def test_a_switch_may_stand_alone() -> None:
    assert settings("--bridges").bridges is True
    assert settings().bridges is False
    assert settings("--bridges=false", PCIDEVICES_BRIDGES="true").bridges is False


def test_simulate_alone_means_the_built_in_node() -> None:
    assert settings().simulate is None
    assert settings("--simulate").simulate == "builtin"
    assert settings("--simulate", "node.yaml").simulate == "node.yaml"


def test_folders_are_paths() -> None:
    assert settings("--sysfs", "/host/sys").sysfs == Path("/host/sys")
    assert settings().pci_ids is None


@pytest.mark.parametrize("name", ["janus", "node-1", "n", "a.b-c.d0", "0", "10.0.0.1"])
def test_a_dns_subdomain_is_a_node_name(name: str) -> None:
    assert node_name(name) == name


@pytest.mark.parametrize(
    "name", ["", "Janus", "-a", "a-", ".a", "a.", "a_b", "a b", "a\n", "\u00e4", "a..b", "a.-b", "a-.b"]
)
def test_what_is_no_dns_subdomain_is_no_node_name(name: str) -> None:
    """The Node could not exist, and no object could bear the name."""
    with pytest.raises(ValueError, match="no node name"):
        node_name(name)


@given(st.integers(200, 260))
def test_whatever_the_address_an_object_can_bear_the_node_name(length: int) -> None:
    """The name of an object has at most 253 characters; a domain has up to eight digits."""
    try:
        name = node_name("n" * length)
    except ValueError:
        return

    assert len(PciAddress(0xFFFFFFFF, 0xFF, 0x1F, 7).object_name(name)) <= 253


def test_in_a_pod_the_nodes_name_must_be_given(monkeypatch: pytest.MonkeyPatch) -> None:
    """The host's name is the pod's there."""
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")

    with pytest.raises(ConfigError, match="--node-name or PCIDEVICES_NODE_NAME"):
        own_node_name()


def test_names_and_variables_are_unique() -> None:
    variables = [v for s in SETTINGS for v in (s.variable, s.also) if v]

    assert len({s.name for s in SETTINGS}) == len(SETTINGS)
    assert len(set(variables)) == len(variables)


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda s: s.name)
def test_every_setting_has_a_help_a_command_and_a_default_that_can_be_used(setting: Setting) -> None:
    assert setting.help
    assert setting.commands
    assert setting.default is None or setting.read(setting.default) is not None
    assert setting.without_value is None or setting.read(setting.without_value) is not None


@pytest.mark.parametrize("command", COMMANDS)
def test_help_tells_the_variable_and_the_default(command: str) -> None:
    parser = argparse.ArgumentParser()
    add_flags(parser, command)

    text = " ".join(parser.format_help().split())

    for setting in SETTINGS:
        told = f"[{setting.variable}" in text.replace("[ ", "[")
        assert told == (command in setting.commands)


def test_only_the_settings_of_the_command_are_resolved() -> None:
    assert not hasattr(settings(command="list"), "resync")


def test_a_wrong_variable_of_another_command_does_no_harm() -> None:
    assert settings(command="list", PCIDEVICES_RESYNC="soon").sysfs == Path("/sys")


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        (":8080", "", 8080),
        ("127.0.0.1:8080", "127.0.0.1", 8080),
        ("localhost:0", "localhost", 0),
        ("[::1]:8080", "::1", 8080),
        ("[::]:65535", "::", 65535),
    ],
)
def test_an_address_to_listen_on_is_a_host_and_a_port(text: str, host: str, port: int) -> None:
    assert settings("--http", text).http == (host, port)


@pytest.mark.parametrize(
    "text", ["8080", "janus", "janus:", "janus:http", ":-1", ":65536", "::1:8080", "[::1]", "[:8080"]
)
def test_what_is_no_such_address_is_told(text: str) -> None:
    with pytest.raises(ConfigError, match=r"--http: .* is not HOST:PORT, such as 127\.0\.0\.1:8080"):
        settings(f"--http={text}")


def test_nothing_listens_unless_asked() -> None:
    assert settings().http is None
