"""Structured logs on stderr: one event, one line. The reference is docs/reference/log-events.md."""

from __future__ import annotations

import logging
import sys

from typing import Any, Literal, TextIO

import structlog

from structlog.typing import EventDict, WrappedLogger

from pcidevices import metrics


LogFormat = Literal["auto", "json", "console"]
LEVELS = ("debug", "info", "warning", "error")

_Logger: Any = type("Logger", (structlog.make_filtering_bound_logger(logging.DEBUG),), {})


def configure(level: str, log_format: LogFormat, *, to: TextIO | None = None) -> None:
    """Set the logs up; "auto" is for people on a terminal and JSON elsewhere. They go *to* stderr, or a file."""
    to = to or sys.stderr
    set_level(level)
    for_people = log_format == "console" or (log_format == "auto" and to.isatty())
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            _counted,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *(
                (structlog.dev.ConsoleRenderer(colors=to.isatty()),)
                if for_people
                else (structlog.processors.dict_tracebacks, structlog.processors.JSONRenderer())
            ),
        ],
        wrapper_class=_Logger,
        logger_factory=structlog.WriteLoggerFactory(to),
        cache_logger_on_first_use=True,
    )


def set_level(level: str) -> None:
    """
    From now on tell what is of *level* or above, also by loggers that are in use already.

    Those are kept for the sake of speed, as is their class. So it is the class that changes: what is not told is a
    method that does nothing.
    """
    for name, method in vars(structlog.make_filtering_bound_logger(getattr(logging, level.upper()))).items():
        if callable(method):
            setattr(_Logger, name, method)


def _counted(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    if event["level"] in {"warning", "error"}:
        metrics.PROBLEMS.labels(event["level"]).inc()
    return event
