"""Never the cluster of whoever runs the tests: a fixture for the conftest of each folder that talks to one."""

from __future__ import annotations

import os

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Neither in a pod, nor with a kubeconfig or a proxy of one's own."""
    for name in (
        "KUBERNETES_SERVICE_HOST",
        "KUBECONFIG",
        "http_proxy",
        "https_proxy",
        "all_proxy",
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "ALL_PROXY",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    # Each client would read the machine's certificate authorities, which takes longer than most tests.
    monkeypatch.setenv("SSL_CERT_FILE", os.devnull)
    monkeypatch.setenv("SSL_CERT_DIR", os.devnull)
    # A kubectl ends before it has anything to collect.
    monkeypatch.setenv("GOGC", "off")
