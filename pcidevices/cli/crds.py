"""``pcidevices crds``: the definitions, for ``kubectl apply -f -``."""

from __future__ import annotations

import argparse

import yaml

from pcidevices.api.crd import definitions


def run(_settings: argparse.Namespace) -> int:
    """Print both definitions as YAML documents."""
    print(manifest(), end="")
    return 0


def manifest() -> str:
    """Both definitions as YAML, the same bytes each time."""
    return yaml.safe_dump_all(definitions(), sort_keys=False, width=110, allow_unicode=True)
