"""The time of day for records; never for measuring."""

from __future__ import annotations

from datetime import datetime, timezone


def utc_now() -> str:
    """The time of day for records, never for measuring: ISO 8601, UTC, whole seconds."""
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
