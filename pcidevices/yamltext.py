"""YAML that means the same to every reader, and so to Go's: PyYAML writes by the rules of YAML 1.1 alone."""

from __future__ import annotations

import re

import yaml


_NEVER_FOLD = 1 << 20
_NUMBER = re.compile(r"[-+]?(?:(\.[0-9_]+|[0-9][0-9_]*(\.[0-9_]*)?)([eE][-+]?[0-9]+)?|0[xXoObB][0-9a-fA-F_]+)$")
"""What is a number in YAML 1.2, or where Go tries harder: as the ids ``1e02`` and ``0880``."""


class _Dumper(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):  # type: ignore[misc]  # whichever there is
    """Puts text that others would read as something else between quotes."""


_Dumper.add_implicit_resolver("tag:yaml.org,2002:float", _NUMBER, list("-+.0123456789"))
_Dumper.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile("[yYnN]$"), list("yYnN"))


def as_yaml(value: object) -> str:
    """As kubectl writes it: block style, keys in their order."""
    return str(yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=_NEVER_FOLD))
