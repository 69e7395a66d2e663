"""`hack/setup` in a checkout of its own: the venv is real, and a pip that installs one program stands for pip."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

from pathlib import Path

import pytest


ROOT = Path(__file__).parents[2]

# The Python that setup is given: what it makes has a pip at once, which does not look into any index.
PYTHON = """#!/bin/sh
[ "$2" = venv ] || exec {python} "$@"
{python} -m venv --without-pip .venv
cp -r {pip} .venv/lib/python*/site-packages
"""
PIP = """import sys
from pathlib import Path

program = Path(sys.prefix, "bin", "pcidevices")
program.write_text(f"#!{sys.prefix}/bin/python\\nprint('here')\\n")
program.chmod(0o755)
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """As much of one as setup reads, set up."""
    pip, python, folder = tmp_path / "pip", tmp_path / "python", tmp_path / "one"
    pip.mkdir()
    apt_get = tmp_path / "bin/apt-get"  # nothing is installed for a test
    apt_get.parent.mkdir()
    apt_get.write_text("#!/bin/sh\nexit 1\n")
    apt_get.chmod(0o755)
    (pip / "__init__.py").touch()
    (pip / "__main__.py").write_text(PIP)
    python.write_text(PYTHON.format(python=Path(sys.executable).resolve(), pip=pip))
    python.chmod(0o755)
    shutil.copytree(ROOT / "hack/requirements", folder / "hack/requirements")
    shutil.copy(ROOT / "hack/setup", folder / "hack")
    shutil.copy(ROOT / "pyproject.toml", folder)
    set_up(folder)
    return folder


def set_up(folder: Path) -> str:
    """What it says."""
    path = f"{folder.parent / 'bin'}:{os.environ['PATH']}"
    environment = {**os.environ, "PYTHON": str(folder.parent / "python"), "PATH": path}
    done = subprocess.run([folder / "hack/setup"], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stderr


def programs(folder: Path) -> str:
    """What the installed program says."""
    return subprocess.run([folder / ".venv/bin/pcidevices"], capture_output=True, text=True, check=True).stdout


def test_a_checkout_that_is_set_up_is_left_alone(checkout: Path) -> None:
    assert set_up(checkout) == ""


def test_new_pins_are_installed_into_the_venv_that_is_there(checkout: Path) -> None:
    (checkout / ".venv/kept").touch()
    (checkout / "hack/requirements/dev.txt").write_text("# another\n")

    assert "making .venv" not in set_up(checkout)
    assert (checkout / ".venv/kept").exists()


def test_a_checkout_that_was_moved_gets_a_venv_for_its_new_place(checkout: Path) -> None:
    """Programs that the other venv had name its Python in their first line, and would not start."""
    moved = checkout.rename(checkout.with_name("two"))
    stale = moved / ".venv/bin/ruff"
    stale.write_text(f"#!{checkout}/.venv/bin/python\n")

    assert "making .venv" in set_up(moved)
    assert not stale.exists()
    assert programs(moved) == "here\n"
    assert set_up(moved) == ""
