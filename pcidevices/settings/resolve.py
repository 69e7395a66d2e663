"""From flags and variables to the values that hold."""

from __future__ import annotations

import argparse
import os
import socket

from collections.abc import Mapping
from pathlib import Path

from pcidevices.errors import ConfigError

from .setting import Setting
from .table import SETTINGS
from .texts import node_name


def add_flags(parser: argparse.ArgumentParser, command: str) -> None:
    """Give *parser* the flags of *command*."""
    for setting in SETTINGS:
        if command in setting.commands:
            default = setting.default or setting.shown_default
            parser.add_argument(
                setting.flag,
                metavar=None if setting.choices else setting.metavar,
                choices=setting.choices,
                nargs="?" if setting.without_value else None,
                const=setting.without_value,
                help=f"{setting.help} [{setting.variable}{f'; default: {default}' if default else ''}]",
            )


def resolve(command: str, flags: argparse.Namespace, environment: Mapping[str, str] = os.environ) -> argparse.Namespace:
    """
    The values that hold: the flag, else the variable, else the default.

    Beside them ``given`` has, for each setting that a person gave, the flag or variable that it came from.

    Raises:
        ConfigError: a value cannot be used; the message names the flag or the variable.
    """
    values = argparse.Namespace(**vars(flags), given={})
    for setting in SETTINGS:
        if command not in setting.commands:
            continue
        source, text, is_given = _given(setting, getattr(flags, setting.key, None), environment)
        try:
            value = None if text is None else setting.read(text)
        except ValueError as error:
            raise ConfigError(f"{source}: {error}") from error
        setattr(values, setting.key, value)
        if is_given:
            values.given[setting.key] = source
    return values


def existing_folder(values: argparse.Namespace, key: str) -> Path:
    """
    The folder that the setting *key* names.

    Raises:
        ConfigError: there is none; the message names the flag or the variable.
    """
    path: Path = getattr(values, key)
    if not path.is_dir():
        raise ConfigError(f"{values.given.get(key, f'--{key}')}: there is no folder {path}")
    return path


def own_node_name() -> str:
    """
    The host's name as a node name, as the kubelet takes it when it is not told another.

    Raises:
        ConfigError: in a pod, where that is the pod's name; or it is no name for a node.
    """
    if os.environ.get("KUBERNETES_SERVICE_HOST"):
        raise ConfigError("in a pod the node's name must be given: --node-name or PCIDEVICES_NODE_NAME (spec.nodeName)")
    try:
        return node_name(socket.gethostname().lower())
    except ValueError as error:
        raise ConfigError(f"--node-name is needed: {error}") from error


def _given(setting: Setting, flag: str | None, environment: Mapping[str, str]) -> tuple[str, str | None, bool]:
    if flag is not None:
        return setting.flag, flag, True
    for variable in (setting.variable, setting.also):
        if variable and environment.get(variable):
            return variable, environment[variable], True
    return setting.flag, setting.default, False
