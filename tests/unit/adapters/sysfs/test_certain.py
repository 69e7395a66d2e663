"""The guards' way of reading: an error names the file, and nothing passes for nothing but what is not there."""

from __future__ import annotations

import errno

from collections.abc import Iterator
from pathlib import Path

import pytest

from pcidevices.adapters.sysfs.certain import entries, entries_if_any, is_there, parsed, target, text


def test_a_folder_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="gone"):
        entries(tmp_path / "gone")


def test_a_folder_that_need_not_be_there_is_empty(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    assert entries_if_any(tmp_path / "gone") == []
    assert entries_if_any(tmp_path / "file/below") == []


def test_a_name_that_leads_in_a_circle_is_an_error(tmp_path: Path) -> None:
    """It stands here for all that fails for another reason than that nothing is there."""
    (tmp_path / "circle").symlink_to("circle")

    for read in (entries_if_any, entries, text, is_there):
        with pytest.raises(OSError, match="circle") as caught:
            read(tmp_path / "circle")
        assert caught.value.errno == errno.ELOOP


def test_a_link_that_is_not_there_leads_nowhere(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("../a/b")
    (tmp_path / "file").write_text("")

    assert target(tmp_path / "gone") is None
    assert target(tmp_path / "link") == "b"
    with pytest.raises(OSError, match="file"):
        target(tmp_path / "file")


def test_an_error_while_reading_names_the_file() -> None:
    """The kernel opens some files that it cannot read."""
    with pytest.raises(OSError, match="/proc/self/mem") as caught:
        text(Path("/proc/self/mem"))

    assert caught.value.errno == errno.EIO


def test_content_that_makes_no_sense_is_an_error_that_names_the_file(tmp_path: Path) -> None:
    def refuse(lines: Iterator[str]) -> None:
        raise ValueError(f"what is {next(lines)}?")

    (tmp_path / "table").write_bytes(b"\xff\n")

    with pytest.raises(OSError, match=r"not as the kernel writes it: what is �\?.*table"):
        parsed(tmp_path / "table", refuse)
