"""Every check of the project. Sessions run in the environment that nox itself is in: .venv, made by hack/setup."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile

from pathlib import Path

import nox


# One environment serves all: what is pinned is what is tested, and nothing is installed twice.
nox.options.default_venv_backend = "none"
nox.options.sessions = ["lint", "types", "layers", "unit", "integration", "contract"]

PYTHON = sys.executable
os.environ["PATH"] = f"{Path(PYTHON).parent}{os.pathsep}{os.environ['PATH']}"
KERNELS = ("6.12", "6.1")
# In the guest nothing but the sysfs suite is wanted, and its start is slow.
GUEST_PYTEST = ("-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/contract/sysfs")


# The simulated world is measured by its own tests; where it only serves, that would cost a fifth of the time.
WITHOUT_SIM = "--omit=pcidevices/kubeletapi/*,pcidevices/sim/*"


def pytest(session: nox.Session, *arguments: str, measured: bool = False, omit: str = "", **env: str) -> None:
    measure = ("-m", "coverage", "run", "--parallel-mode", *filter(None, [omit])) if measured else ()
    session.run(PYTHON, *measure, "-m", "pytest", *arguments, *session.posargs, env=env)


@nox.session
def lint(session: nox.Session) -> None:
    """Style, and the many small mistakes that ruff knows."""
    scripts = [str(path) for path in Path("hack").iterdir() if path.is_file() and "python" in _first_line(path)]
    session.run("ruff", "check", ".", *scripts)
    session.run("ruff", "format", "--check", ".", *scripts)


@nox.session
def types(session: nox.Session) -> None:
    """Mypy, strict."""
    session.run("mypy")


@nox.session
def layers(session: nox.Session) -> None:
    """Imports point one way (.importlinter)."""
    session.run("lint-imports", "--no-logo")


@nox.session
def unit(session: nox.Session) -> None:
    """Pure or in memory."""
    session.run("coverage", "erase")
    pytest(session, "tests/unit", measured=True)


@nox.session
def integration(session: nox.Session) -> None:
    """One adapter against the nearest real thing, or the whole program against the simulated world."""
    pytest(session, "tests/integration", measured=True, omit=WITHOUT_SIM)


@nox.session
def contract(session: nox.Session) -> None:
    """The suites that fakes and the real world share, on the fakes."""
    pytest(session, "tests/contract", measured=True, PCIDEVICES_TEST_API="embedded")


@nox.session
def browser(session: nox.Session) -> None:
    """The page of `kubectl pci map` in a real browser."""
    pytest(session, "tests/browser")


@nox.session
def contract_apiserver(session: nox.Session) -> None:
    """The API server's suite on a real kube-apiserver."""
    pytest(session, "tests/contract/apiserver", PCIDEVICES_TEST_API="real")


@nox.session
def contract_kubelet(session: nox.Session) -> None:
    """The kubelet's suite on a real kubelet, over a runtime that only records."""
    folder = tempfile.mkdtemp(prefix="pcidevices-kubelet-")
    cluster = ("--dir", folder)
    often = '{"nodeStatusUpdateFrequency":"1s"}'
    try:
        session.run("hack/cluster", "up", *cluster, "--kubelet", "--kubelet-config", often, external=True)
        pytest(session, "tests/contract/kubelet", PCIDEVICES_TEST_KUBELET=folder)
    finally:
        session.run("hack/cluster", "down", *cluster, external=True, success_codes=range(256))
        shutil.rmtree(folder, ignore_errors=True)


@nox.session
@nox.parametrize("kernel", KERNELS)
def contract_kernel(session: nox.Session, kernel: str) -> None:
    """The sysfs suite on a real kernel, as root in a guest."""
    session.run(
        *("hack/vm", "--kernel", kernel, "--env", "PCIDEVICES_TEST_KERNEL=real", "--timeout", "900", "--"),
        *(PYTHON, *GUEST_PYTEST),
        external=True,
    )


@nox.session
def e2e(session: nox.Session) -> None:
    """The whole program against a real API server and a real kubelet."""
    pytest(session, "tests/e2e", "-m", "not guest")


@nox.session
def e2e_kernel(session: nox.Session) -> None:
    """The whole program on real kernels, in guests."""
    pytest(session, "tests/e2e", "-m", "guest")


@nox.session
def coverage(session: nox.Session) -> None:
    """What unit, integration and contract, run before, have not touched."""
    session.run("coverage", "combine", "--quiet")
    session.run("coverage", "report", "--fail-under=90")


@nox.session
def proto(session: nox.Session) -> None:
    """The generated messages are what proto/ says."""
    session.run("hack/proto", "--check", external=True)


@nox.session
def manifests(session: nox.Session) -> None:
    """The committed definitions are what the types say; alerts fire for what they are meant for."""
    session.run("hack/manifests", "--check", external=True)
    pytest(session, "tests/observability")


@nox.session(name="release-check")
def release_check(session: nox.Session) -> None:
    """Wheel and sdist: built, compared, and installed where there is nothing."""
    pytest(session, "tests/release")


@nox.session
def docs(session: nox.Session) -> None:
    """Links lead somewhere; reference pages say what the code says; all of it makes a site, in site/."""
    pytest(session, "tests/docs")
    site = {"PYTHONPATH": "hack/site", "NO_MKDOCS_2_WARNING": "1"}
    session.run("mkdocs", "build", "--strict", "--quiet", "--config-file", "hack/site/mkdocs.yml", env=site)


@nox.session
def bench(session: nox.Session) -> None:
    """Each row a ratio to a named rival, in one run."""
    session.run(PYTHON, "-m", "tests.bench", *session.posargs, env={"PYTHONPATH": os.fspath(Path.cwd())})


def _first_line(path: Path) -> str:
    return path.read_bytes().split(b"\n", 1)[0].decode(errors="replace")
