"""What is published: a wheel and an sdist. They are built here, and installed where there was nothing."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import venv
import zipfile

from collections.abc import Iterator
from email.parser import HeaderParser
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from pcidevices import __version__
from tests.docs.pages import ROOT, tracked
from tests.docs.test_tree import _PLACE, _REGISTRY


PINS = ROOT / "hack/requirements"
# Of git's, and of nobody else's use.
NOT_SHIPPED = {".gitignore"}


def run(*command: str | Path, cwd: Path = ROOT) -> str:
    """Of a program that has to succeed, in an environment that has nothing of ours."""
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "COVERAGE", "PIP_FIND"))
    }
    done = subprocess.run(
        [str(word) for word in command], cwd=cwd, capture_output=True, text=True, check=False, env=kept
    )
    assert done.returncode == 0, f"{command}: {done.stdout[-2000:]}\n{done.stderr[-4000:]}"
    return done.stdout


def one(folder: Path, pattern: str) -> Path:
    (found,) = folder.glob(pattern)
    return found


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with TemporaryDirectory(prefix="release-") as folder:
        run(sys.executable, "-m", "hatchling", "build", "-d", folder)
        yield Path(folder)


@pytest.fixture(scope="module")
def wheel(folder: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(one(folder, "*.whl")) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.fixture(scope="module")
def sdist(folder: Path) -> dict[str, bytes]:
    """Its files, without the folder around them. What a link says counts as what is in it."""
    with tarfile.open(one(folder, "*.tar.gz")) as archive:
        return {
            member.name.partition("/")[2]: file.read() if (file := archive.extractfile(member)) else b""
            for member in archive
            if not member.isdir()
        }


def test_the_version_stands_in_one_place(wheel: dict[str, bytes], sdist: dict[str, bytes]) -> None:
    """What the package says of itself is what both are called and what is written in them."""
    written = [text.decode() for name, text in {**wheel, **sdist}.items() if name.endswith(("METADATA", "PKG-INFO"))]

    assert [HeaderParser().parsestr(text)["Version"] for text in written] == [__version__] * 2
    assert f'__version__ = "{__version__}"'.encode() in wheel["pcidevices/__init__.py"]
    assert __version__.encode() not in sdist["pyproject.toml"]


def test_the_sdist_has_all_that_is_kept_here(sdist: dict[str, bytes]) -> None:
    """Whoever has it can do what a checkout can: build the image, run the tests, read the docs."""
    kept = {str(path.relative_to(ROOT)) for path in tracked()}

    assert sorted(kept - sdist.keys() - NOT_SHIPPED) == []


def test_the_sdist_makes_the_very_wheel(folder: Path, wheel: dict[str, bytes], tmp_path: Path) -> None:
    with tarfile.open(one(folder, "*.tar.gz")) as archive:
        archive.extractall(tmp_path, filter="data")
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", tmp_path, cwd=one(tmp_path, "pcidevices-*"))

    with zipfile.ZipFile(one(tmp_path, "*.whl")) as archive:
        assert {name: archive.read(name) for name in archive.namelist()} == wheel


def test_the_wheel_has_the_package_and_nothing_else(wheel: dict[str, bytes]) -> None:
    """Its data too: the demo's node, the names of its devices, the page of the map."""
    assert {name.partition("/")[0] for name in wheel} == {"pcidevices", f"pcidevices-{__version__}.dist-info"}
    assert wheel.keys() >= {"pcidevices/py.typed", "pcidevices/sim/node/builtin.yaml", "pcidevices/sim/node/pci.ids"}


def test_nothing_says_where_it_was_built(wheel: dict[str, bytes], sdist: dict[str, bytes]) -> None:
    """No path of this machine, and no registry."""
    here = str(ROOT).encode()

    found = [
        name
        for name, text in {**sdist, **wheel}.items()
        if here in text or _PLACE.search(text) or _REGISTRY.search(text)
    ]

    assert found == []


def test_it_installs_where_there_is_nothing(folder: Path, tmp_path: Path) -> None:
    """By the pinned file alone, which leaves nothing to be looked for; and it works there."""
    home = tmp_path / "home"
    venv.create(home, with_pip=True)
    pip = (home / "bin/python", "-m", "pip", "--disable-pip-version-check", "install", "--quiet")
    run(*pip, "--require-hashes", "-r", PINS / "runtime.txt", cwd=tmp_path)
    run(*pip, "--no-index", one(folder, "*.whl"), cwd=tmp_path)

    run(home / "bin/pcidevices", "demo", "--check", cwd=tmp_path)
    assert "No broken requirements" in run(home / "bin/python", "-m", "pip", "check", cwd=tmp_path)
    assert run(home / "bin/pcidevices", "version", cwd=tmp_path).split()[:2] == ["pcidevices", __version__]


def test_its_extra_needs_nothing_that_is_not_pinned(folder: Path, tmp_path: Path) -> None:
    """This very environment was made from nothing by that file; here the wheel finds all it asks for."""
    would = (sys.executable, "-m", "pip", "install", "--dry-run", "--no-index")
    run(*would, f"{one(folder, '*.whl')}[dev]", cwd=tmp_path)

    assert "No broken requirements" in run(sys.executable, "-m", "pip", "check", cwd=tmp_path)
