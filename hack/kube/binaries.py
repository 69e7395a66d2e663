"""The programs of a cluster: built from their Go modules, once, into a folder outside the tree."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

from pathlib import Path
from typing import TYPE_CHECKING

from .failure import RigError
from .locks import alone


if TYPE_CHECKING:
    from collections.abc import Iterable

HERE = Path(__file__).resolve().parent
NAMES = tuple(sorted(source.parent.name for source in HERE.glob("*/main.go")))
# What a folder made for Kubernetes' own envtest holds.
ASSETS = ("etcd", "kube-apiserver")


def binaries(names: Iterable[str], *, to_build: bool = True) -> dict[str, Path]:
    """Where these programs are; those that are missing are built first, or there is an error."""
    found = {}
    missing = []
    assets = os.environ.get("KUBEBUILDER_ASSETS")
    for name in names:
        given = bool(assets) and name in ASSETS
        found[name] = Path(assets or "").absolute() / name if given else cache() / name
        if not os.access(found[name], os.X_OK):
            if given:
                raise RigError(f"there is no {name} in {assets}, where KUBEBUILDER_ASSETS points")
            missing.append(name)
    if missing and not to_build:
        raise RigError(f"there is no {missing[0]} in {cache()}: on the host, `hack/cluster build {' '.join(missing)}`")
    if missing:
        build(missing)
    return found


def top() -> Path:
    """The folder for all that is built or fetched."""
    chosen = os.environ.get("PCIDEVICES_CACHE")
    folder = Path(chosen) if chosen else Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "pcidevices"
    return folder.expanduser().absolute()


def cache() -> Path:
    """The folder for what these sources build."""
    digest = hashlib.sha256()
    for source in sorted((HERE / "go.mod", HERE / "go.sum", *HERE.glob("*/*.go"))):
        content = source.read_bytes()
        digest.update(f"{source.relative_to(HERE)} {len(content)}\n".encode() + content)
    return top() / f"kube-{digest.hexdigest()[:12]}"


def build(names: Iterable[str]) -> None:
    """Build what is not there yet. A program appears under its name only when it is whole."""
    folder = cache()
    folder.mkdir(parents=True, exist_ok=True)
    with alone(folder / ".lock"):
        for left_over in folder.glob(".build-*"):
            shutil.rmtree(left_over, ignore_errors=True)
        for name in names:
            if os.access(folder / name, os.X_OK):
                continue
            with tempfile.TemporaryDirectory(dir=folder, prefix=".build-") as workshop:
                made = go_build(name, Path(workshop))
                made.rename(folder / name)


def go_build(name: str, folder: Path) -> Path:
    """Build one program, static and stripped."""
    go = shutil.which("go")
    if not go:
        raise RigError(
            f"{name} has to be built and there is no go on PATH: install Go {requirement('go')} or newer, "
            "or set KUBEBUILDER_ASSETS to a folder that holds etcd and kube-apiserver"
        )
    version = requirement("k8s.io/kubernetes")
    major, minor = version.removeprefix("v").split(".")[:2]
    told = {"gitVersion": version, "gitMajor": major, "gitMinor": minor, "gitTreeState": "clean"}
    flags = " ".join(f"-X k8s.io/component-base/version.{key}={value}" for key, value in told.items())
    print(f"building {name} (minutes when Go has built none of it before)", file=sys.stderr, flush=True)
    since = time.monotonic()
    command = [go, "build", "-mod=readonly", "-buildvcs=false", "-trimpath", f"-ldflags=-s -w {flags}"]
    done = subprocess.run(
        [*command, "-o", str(folder / name), f"./{name}"],
        cwd=HERE,
        env={**os.environ, "CGO_ENABLED": "0", "GOWORK": "off"},
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode:
        print(done.stderr, file=sys.stderr)
        raise RigError(f"go could not build {name}")
    size = (folder / name).stat().st_size
    print(f"built {name}: {time.monotonic() - since:.0f} s, {size / 1e6:.0f} MB", file=sys.stderr, flush=True)
    return folder / name


def requirement(name: str) -> str:
    """The version of something that go.mod asks for."""
    line = re.search(rf"^\s*{re.escape(name)} (\S+)$", (HERE / "go.mod").read_text(), re.MULTILINE)
    if not line:
        raise RigError(f"go.mod asks for no {name}")
    return line[1]
