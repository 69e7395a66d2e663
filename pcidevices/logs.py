"""Structured logs on stderr: one event, one line. The reference is docs/reference/log-events.md."""

from __future__ import annotations

import logging
import sys

from typing import Literal, TextIO

import structlog


LogFormat = Literal["auto", "json", "console"]
LEVELS = ("debug", "info", "warning", "error")


def configure(level: str, log_format: LogFormat, *, to: TextIO | None = None) -> None:
    """Set the logs up; "auto" is for people on a terminal and JSON elsewhere. They go *to* stderr, or a file."""
    to = to or sys.stderr
    for_people = log_format == "console" or (log_format == "auto" and to.isatty())
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *(
                (structlog.dev.ConsoleRenderer(colors=to.isatty()),)
                if for_people
                else (structlog.processors.dict_tracebacks, structlog.processors.JSONRenderer())
            ),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=structlog.WriteLoggerFactory(to),
        cache_logger_on_first_use=True,
    )
