"""Every row, or those whose names contain an argument: `python -m tests.bench scan help`."""

from __future__ import annotations

import sys

from collections.abc import Callable, Iterator

from tests.bench import cluster, kubectls, kubelet, local
from tests.bench.rows import HEAD, Row


ROWS: dict[str, Callable[[], Iterator[Row]]] = {
    "scan": local.scan,
    "help": local.help_text,
    "rss": cluster.memory,
    "start": cluster.cold_start,
    "hint": cluster.hint_to_write,
    "rest": cluster.rest,
    "update": kubelet.update,
    "allocate": kubelet.allocation,
    "plugins": kubelet.many,
    "claim": kubelet.claim,
    "kubectl": kubectls.start,
    "list": kubectls.listing,
}


def main(wanted: list[str]) -> None:
    print(HEAD)
    for name, rows in ROWS.items():
        if not wanted or name in wanted:
            for row in rows():
                print(row, flush=True)


main(sys.argv[1:])
