"""Start and stop a control plane, or one program of it."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import random
import secrets
import shutil
import socket
import time

from typing import TYPE_CHECKING

from .access import users, write_keys, write_kubeconfigs
from .binaries import binaries
from .control_plane import AUDIT_POLICY, COMPONENTS
from .failure import EndedError, PortTakenError, RigError
from .locks import alone
from .place import Place, load, record
from .processes import end, launch


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from .control_plane import Component

NAMES = tuple(component.name for component in COMPONENTS)
FOLDERS = ("etcd", "keys", "log", "run")
# Below the ports that Linux gives to connections, so that ours is still free after a while without a server.
PORTS = range(20000, 30000)


def up(folder: Path, *, node_name: str, also_at: list[str], tell: Callable[[str], None]) -> Place:
    """Start a new cluster in this folder, in place of the one that was there."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with alone(folder / "lock"):
        clear(folder)
        place = Place(
            folder=folder,
            node_name=node_name,
            also_at=also_at,
            binaries={name: str(path) for name, path in binaries(NAMES).items()},
            tokens={user: secrets.token_hex(16) for user in users(node_name)},
        )
        os.umask(0o077)  # from here on it is tokens and keys
        place.save()
        for name in FOLDERS:
            (folder / name).mkdir()
        write_keys(place)
        (place.run / "audit-policy.json").write_text(json.dumps(AUDIT_POLICY))
        try:
            for component in COMPONENTS:
                begin_on_free_ports(place, component)
                tell(f"{component.name} is ready")
        except BaseException:
            halt(place)
            raise
        write_kubeconfigs(place)
    return place


def down(folder: Path) -> None:
    """Stop what runs and drop the data, which is large. The logs stay."""
    with opened(folder) as place:
        halt(place)
        shutil.rmtree(folder / "etcd", ignore_errors=True)


def start(folder: Path, name: str) -> None:
    """Start one program again, with the ports and the data it had."""
    with opened(folder) as place:
        check_is_up(place)
        if place.runs(name):
            raise RigError(f"{name} runs already")
        begin(place, component_of(name))


def stop(folder: Path, name: str) -> None:
    """Stop one program, if it runs."""
    with opened(folder) as place:
        finish(place, component_of(name))


def restart(folder: Path, name: str) -> None:
    """Stop one program, if it runs, and start it again."""
    with opened(folder) as place:
        check_is_up(place)
        finish(place, component_of(name))
        begin(place, component_of(name))


def check_is_up(place: Place) -> None:
    """What was taken down has no data any more that a program could start with."""
    if not (place.folder / "etcd").exists():
        raise RigError(f"the cluster in {place.folder} is down: start another with `up`")


def status(folder: Path) -> tuple[list[str], bool]:
    """A line for each program, and whether all of them run."""
    place = existing(folder)
    lines = []
    for name in NAMES:
        process = place.processes.get(name)
        if process is None:
            lines.append(f"{name:<16} stopped")
        elif process.runs():
            lines.append(f"{name:<16} running, pid {process.pid}")
        else:
            lines.append(f"{name:<16} ended by itself; see {place.log(name)}")
    return lines, all(place.runs(name) for name in NAMES)


def begin_on_free_ports(place: Place, component: Component) -> None:
    """Start a program for the first time. A port that looked free may be taken by the time it is wanted."""
    for _ in range(10):
        place.ports.update((port, free_port()) for port in component.ports)
        with contextlib.suppress(PortTakenError):
            begin(place, component)
            return
    raise RigError(f"no port stayed free until {component.name} could take it")


def begin(place: Place, component: Component) -> None:
    """Start a program and wait until it, and what needs it, is ready."""
    at = COMPONENTS.index(component)
    for needed in NAMES[:at]:
        if not place.runs(needed):
            raise RigError(f"{component.name} needs {needed}, which does not run")
    log = place.log(component.name)
    said_before = log.stat().st_size if log.exists() else 0
    command = [place.binaries[component.name], *component.arguments(place)]
    place.processes[component.name] = launch(command, folder=place.run, log=log)
    place.save()
    try:
        wait_until_ready(place, component)
    except EndedError as error:
        with log.open("rb") as file:
            file.seek(said_before)
            if b"address already in use" in file.read():
                raise PortTakenError(f"another program has taken the port of {component.name}") from error
        raise
    for later in COMPONENTS[at + 1 :]:
        if place.runs(later.name):
            wait_until_ready(place, later)


def wait_until_ready(place: Place, component: Component) -> None:
    """Wait for a program that was started, as long as it and those it needs run."""
    until = time.monotonic() + component.to_start
    while time.monotonic() < until:
        for name in NAMES[: COMPONENTS.index(component) + 1]:
            if not place.runs(name):
                raise EndedError(f"{name} ended before {component.name} was ready; see {place.log(name)}")
        with contextlib.suppress(OSError, http.client.HTTPException):
            if component.is_ready(place):
                return
        time.sleep(0.05)
    raise RigError(f"{component.name} was not ready after {component.to_start:.0f} s; see {place.log(component.name)}")


def finish(place: Place, component: Component) -> None:
    """Stop a program. What was never started, or ended by itself, counts as stopped from now on."""
    if process := place.processes.get(component.name):
        end(process, patience=component.to_end)
        del place.processes[component.name]
        place.save()


def halt(place: Place) -> None:
    """Stop everything, last started first."""
    for component in reversed(COMPONENTS):
        finish(place, component)


def free_port() -> int:
    """A port that nobody listens on right now."""
    while True:
        port = random.choice(PORTS)
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
            return port


def clear(folder: Path) -> None:
    """Remove what an earlier cluster left, and nothing else."""
    old = load(folder)
    if old and any(old.runs(name) for name in old.processes):
        raise RigError(f"a cluster runs in {folder}: take it down first")
    mine = [folder / name for name in (*FOLDERS, "audit.jsonl", "kubeconfig")]
    if not old and (stranger := next((path for path in mine if path.exists()), None)):
        raise RigError(f"{stranger} is in the way, and no cluster has made it")
    for path in (*mine, *folder.glob("*.kubeconfig")):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    record(folder).unlink(missing_ok=True)


@contextlib.contextmanager
def opened(folder: Path) -> Iterator[Place]:
    """The cluster of a folder, for one command at a time."""
    existing(folder)
    with alone(folder / "lock"):
        yield existing(folder)


def existing(folder: Path) -> Place:
    """The cluster of a folder."""
    place = load(folder)
    if not place:
        raise RigError(f"there is no cluster in {folder}")
    return place


def component_of(name: str) -> Component:
    """The row of this name."""
    return COMPONENTS[NAMES.index(name)]
