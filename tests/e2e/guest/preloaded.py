"""
Runs in the guest: one agent after another, each a fork of this process, which has imported what an agent needs.

    .venv/bin/python tests/e2e/guest/preloaded.py      reads lines [log, argument…] in JSON; says the pid, then "ended"

An agent that is started anew imports for ten seconds here; where there are many starts, this saves most of it.
"""

from __future__ import annotations

import json
import os
import sys

from pathlib import Path


sys.path.insert(0, str(Path.cwd()))

from pcidevices.cli import agent, main  # noqa: F401  what the agent imports is the point


def serve() -> None:
    """Start agents as told."""
    for line in sys.stdin:
        log, *arguments = json.loads(line)
        child = os.fork()
        if not child:
            os.dup2(os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT), 2)
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            sys.exit(main(arguments))
        print(child, flush=True)
        os.waitpid(child, 0)
        print("ended", flush=True)


serve()
