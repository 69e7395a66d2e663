"""Whoever has read `kubectl claim --help` can follow the tutorial."""

from __future__ import annotations

import pytest

from pcidevices.kubectl import run_claim
from tests.docs.pages import page
from tests.docs.transcript import Call, calls


TYPED = calls(page("docs/tutorial/claim-with-kubectl.md"))
OURS = [call for call in TYPED if call.command.startswith(("kubectl claim", "kubectl unclaim", "kubectl pci"))]


@pytest.fixture
def told(capsys: pytest.CaptureFixture[str]) -> str:
    """What `kubectl claim --help` says."""
    with pytest.raises(SystemExit):
        run_claim(["--help"])
    return capsys.readouterr().out


def test_the_page_shows_the_help(told: str) -> None:
    (call,) = (call for call in TYPED if call.command == "kubectl claim --help")

    assert len(call.answer) > 10
    assert call.missing_in(told) == []


@pytest.mark.parametrize("call", OURS, ids=lambda call: call.command)
def test_every_command_and_flag_of_ours_stands_in_the_help(call: Call, told: str) -> None:
    words = call.command.split()
    name = words[: 3 if words[1] == "pci" else 2]
    flags = [word for word in words if word.startswith("--")]

    assert [one for one in (" ".join(name), *flags) if one not in told] == []


def test_the_page_goes_all_the_way() -> None:
    """Claimed, used, given back."""
    names = [" ".join(call.command.split()[:2]) for call in TYPED]

    steps = [names.index(step) for step in ("kubectl claim", "kubectl apply", "kubectl unclaim")]
    assert steps == sorted(steps)
