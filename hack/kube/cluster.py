"""Start and stop a control plane with or without a node, or one program of it."""

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

from . import node
from .access import GUEST, users, write_keys
from .binaries import NAMES as BINARIES
from .binaries import binaries, top
from .control_plane import AUDIT_POLICY, CONTROL_PLANE, CONTROLLERS, EGRESS
from .failure import EndedError, PortTakenError, RigError
from .locks import alone
from .node import NODE
from .place import Place, load, record
from .processes import end, launch


if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from .component import Component

# In the order they start; each needs some of those before it.
COMPONENTS = (*CONTROL_PLANE, *CONTROLLERS, *NODE)
NAMES = tuple(component.name for component in COMPONENTS)
FETCHED = "containerd"
BUILT = tuple(sorted((*BINARIES, FETCHED)))
# What `up` may ask for besides the control plane, and of what it then consists.
EXTRAS = {
    "controllers": tuple(component.name for component in CONTROLLERS),
    "kubelet": ("node", "relay", "fakecri", "kubelet"),
    "node": ("node", "relay", "tunnel", "containerd", "kubelet"),
}
DATA = ("etcd", "kubelet", "containerd")
FOLDERS = (*DATA, "empty", "keys", "log", "run")
FILES = ("audit.jsonl", "created.jsonl", "kubeconfig")
# Below the ports that Linux gives to connections, so that ours is still free after a while without a server.
PORTS = range(20000, 30000)


def up(
    folder: Path,
    *,
    node_name: str,
    also_at: list[str],
    extras: Iterable[str] = (),
    kubelet: dict[str, object] | None = None,
    tell: Callable[[str], None],
) -> Place:
    """Start a new cluster in this folder, in place of the one that was there."""
    wanted = {component.name for component in CONTROL_PLANE}.union(*(EXTRAS[extra] for extra in extras))
    with emptied(folder):
        parts = [name for name in NAMES if name in wanted]
        place = Place(
            folder=folder,
            node_name=node_name,
            also_at=also_at,
            binaries=programs(folder, parts),
            tokens={user: secrets.token_hex(16) for user in users(node_name)},
            parts=parts,
            cache=str(top()),
            kubelet=kubelet or {},
        )
        settle(place)
        write_keys(place)
        (place.run / "audit-policy.json").write_text(json.dumps(AUDIT_POLICY))
        (place.run / "egress.json").write_text(json.dumps(EGRESS))
        begin_all(place, tell)
    return place


def join(
    folder: Path,
    api: Path,
    *,
    extra: str,
    after: Path | None = None,
    kubelet: dict[str, object] | None = None,
    tell: Callable[[str], None],
) -> Place:
    """Start a node in this folder, in a guest, for the API server that the host runs in another folder."""
    there = existing(api)
    os.environ["PCIDEVICES_CACHE"] = there.cache
    with emptied(folder):
        # The API server is not in the guest, and nobody gets in from outside.
        parts = [name for name in NAMES if name in EXTRAS[extra] and name != "tunnel"]
        place = Place(
            folder=folder,
            node_name=there.node_name,
            also_at=[],
            binaries=programs(folder, parts, to_build=False),
            tokens=there.tokens,
            parts=parts,
            cache=there.cache,
            server=GUEST,
            kubelet=kubelet or {},
            ports=there.ports,
        )
        settle(place)
        for name in ("ca.crt", "kube-apiserver.crt", "kube-apiserver.key"):
            shutil.copy(there.keys / name, place.keys)
        if after:
            shutil.copytree(after, folder / "kubelet", dirs_exist_ok=True)
        begin_all(place, tell)
    return place


@contextlib.contextmanager
def emptied(folder: Path) -> Iterator[None]:
    """A folder without what an earlier cluster left, for one command at a time."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with alone(folder / "lock"):
        clear(folder)
        yield


def programs(folder: Path, parts: list[str], *, to_build: bool = True) -> dict[str, str]:
    """Where the programs of these components are."""
    if "node" in parts:
        node.check(folder, top())
    return build([name for part in parts for name in component_of(part).programs], to_build=to_build)


def build(names: Iterable[str], *, to_build: bool = True) -> dict[str, str]:
    """Where these are: programs of ours, which are built, and containerd, which is fetched."""
    wanted = set(names)
    found = {name: str(path) for name, path in binaries(sorted(wanted - {FETCHED}), to_build=to_build).items()}
    if FETCHED in wanted:
        found[FETCHED] = node.packages(to_fetch=to_build)
    return found


def settle(place: Place) -> None:
    """Make the folder a cluster's."""
    os.umask(0o077)  # from here on it is tokens and keys
    place.save()
    for name in ("log", "run", "keys", *(name for name in DATA if name in place.parts)):
        (place.folder / name).mkdir()


def begin_all(place: Place, tell: Callable[[str], None]) -> None:
    """Start everything, or nothing."""
    try:
        for name in place.parts:
            begin_on_free_ports(place, component_of(name))
            tell(f"{name} is ready")
    except BaseException:
        halt(place)
        raise


def down(folder: Path) -> None:
    """Stop what runs and drop the data, which is large. The logs stay."""
    with opened(folder) as place:
        halt(place)
        for name in DATA:
            shutil.rmtree(folder / name, ignore_errors=True)


def start(folder: Path, name: str) -> None:
    """Start one program again, with the ports and the data it had."""
    with opened(folder) as place:
        check_is_up(place)
        check_has(place, name)
        if place.runs(name):
            raise RigError(f"{name} runs already")
        begin(place, component_of(name))


def stop(folder: Path, name: str) -> None:
    """Stop one program, if it runs."""
    with opened(folder) as place:
        check_has(place, name)
        finish(place, component_of(name))


def restart(folder: Path, name: str) -> None:
    """Stop one program, if it runs, and start it again."""
    with opened(folder) as place:
        check_is_up(place)
        check_has(place, name)
        again = [other for other in inhabitants(place) if name == "node" and place.runs(other.name)]
        finish(place, component_of(name))
        for component in (component_of(name), *again):
            begin(place, component)


def execute(folder: Path, command: list[str]) -> None:
    """Become a command in the namespaces of the node."""
    place = existing(folder)
    check_runs(place, "node")
    words = node.inside(place, command)
    os.execvp(words[0], words)


def image(folder: Path, source: Path, *, name: str, command: list[str]) -> None:
    """Give the node an image."""
    with opened(folder) as place:
        check_runs(place, "containerd")
        node.add_image(place, source.absolute(), name, command)


def check_has(place: Place, name: str) -> None:
    """Not every cluster has everything."""
    if name not in place.parts:
        raise RigError(f"the cluster in {place.folder} has no {name}: see `up --help`")


def check_runs(place: Place, name: str) -> None:
    """Some commands are of no use otherwise."""
    check_has(place, name)
    if not place.runs(name):
        raise RigError(f"{name} does not run")


def check_is_up(place: Place) -> None:
    """What was taken down has no data any more that a program could start with."""
    if not any((place.folder / name).exists() for name in DATA):
        raise RigError(f"the cluster in {place.folder} is down: start another with `up`")


def status(folder: Path) -> tuple[list[str], bool]:
    """A line for each program, and whether all of them run."""
    place = existing(folder)
    lines = []
    width = max(16, *map(len, place.parts))
    for name in place.parts:
        process = place.processes.get(name)
        if process is None:
            lines.append(f"{name:<{width}} stopped")
        elif process.runs():
            lines.append(f"{name:<{width}} running, pid {process.pid}")
        else:
            lines.append(f"{name:<{width}} ended by itself; see {place.log(name)}")
    return lines, all(place.runs(name) for name in place.parts)


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
    for needed in needs(place, component):
        if not place.runs(needed):
            raise RigError(f"{component.name} needs {needed}, which does not run")
    log = place.log(component.name)
    said_before = log.stat().st_size if log.exists() else 0
    component.prepare(place)
    command = component.command(place)
    place.processes[component.name] = launch(
        node.inside(place, command) if component.inside else command,
        folder=place.run,
        log=log,
        umask=0o022 if component.forks else -1,  # what runs in the node relies on the usual one
        forks=component.forks,
    )
    place.save()
    try:
        wait_until_ready(place, component)
    except EndedError as error:
        with log.open("rb") as file:
            file.seek(said_before)
            if b"address already in use" in file.read():
                raise PortTakenError(f"another program has taken the port of {component.name}") from error
        raise
    for later in COMPONENTS[COMPONENTS.index(component) + 1 :]:
        if place.runs(later.name) and all(place.runs(needed) for needed in needs(place, later)):
            wait_until_ready(place, later)


def needs(place: Place, component: Component) -> list[str]:
    """Those of this cluster that a program cannot do without."""
    return [name for name in component.needs if name in place.parts]


def inhabitants(place: Place) -> list[Component]:
    """What lives in the node, or by it."""
    return [component for component in COMPONENTS if "node" in needs(place, component)]


def wait_until_ready(place: Place, component: Component) -> None:
    """Wait for a program that was started, as long as it and those it needs run."""
    until, pause = time.monotonic() + component.to_start, 0.05
    while time.monotonic() < until:
        for name in (*needs(place, component), component.name):
            if not place.runs(name):
                raise EndedError(f"{name} ended before {component.name} was ready; see {place.log(name)}")
        with contextlib.suppress(OSError, http.client.HTTPException):
            if component.is_ready(place):
                return
        time.sleep(pause)
        pause = min(1.2 * pause, 0.3)  # in a guest a look takes long, and holds up what is waited for
    raise RigError(f"{component.name} was not ready after {component.to_start:.0f} s; see {place.log(component.name)}")


def finish(place: Place, component: Component) -> None:
    """Stop a program. What was never started, or ended by itself, counts as stopped from now on."""
    if component.name == "node":
        for other in reversed(inhabitants(place)):
            finish(place, other)
    if process := place.processes.get(component.name):
        end(process, patience=component.to_end)
        del place.processes[component.name]
        place.save()
        if component.name == "node":
            node.remove_cgroups(place)


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
    mine = [folder / name for name in (*FOLDERS, *FILES)]
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
