"""Logs: one JSON object a line, never a customer's data."""

import logging
import sys
from datetime import UTC, datetime

import msgspec

from amity.infra.config import settings


class JsonLines(logging.Formatter):
    """Writes a record as one line of JSON; line breaks inside it are escaped."""

    def format(self, record: logging.LogRecord) -> str:
        entry: dict[str, object] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info and record.exc_info[1] is not None:
            # The kind and the place, not the text: database errors quote the row they refused.
            entry["error"] = type(record.exc_info[1]).__name__
            trace = record.exc_info[2]
            while trace is not None and trace.tb_next is not None:
                trace = trace.tb_next
            if trace is not None:
                entry["where"] = f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}"
        return msgspec.json.encode(entry).decode()


def configure_logging() -> None:
    """Send this process's logs to standard error as JSON lines."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=settings().log_level, handlers=[handler], force=True)
