"""What is text stays text, whoever reads the YAML."""

from __future__ import annotations

import math
import re

import pytest
import yaml

from hypothesis import given
from hypothesis import strategies as st

from pcidevices.yamltext import as_yaml


CORE_NUMBER = re.compile(r"[-+]?(0[oO][0-7]+|0[xX][0-9a-fA-F]+|(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?)")
"""YAML 1.2's, in its core schema."""


@pytest.mark.parametrize("text", ["1e02", "0880", "0x1f", "0o17", "10e8", "1.5E3", "y", "N", "on", "12", "0805"])
def test_what_others_take_for_a_number_or_a_truth_is_quoted(text: str) -> None:
    assert as_yaml({"deviceId": text}) == f"deviceId: '{text}'\n"


@pytest.mark.parametrize("text", ["1c02", "10de", "e000", "yes-man", "12a", "v1"])
def test_all_else_is_bare(text: str) -> None:
    assert as_yaml({"id": text}) == f"id: {text}\n"


@given(st.from_regex(CORE_NUMBER, fullmatch=True))
def test_no_text_that_is_a_number_of_yaml_1_2_is_bare(text: str) -> None:
    assert as_yaml([text])[2] in "'\""


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(), st.lists, max_leaves=5))
def test_what_was_written_is_read(value: object) -> None:
    read = yaml.safe_load(as_yaml([value]))[0]

    assert read == value or (isinstance(value, float) and math.isnan(value)) or "nan" in repr(value)
