"""How the host talks to storage: so that storage that hangs does not hang a test."""

from __future__ import annotations

from typing import Any

BRIEFLY: dict[str, Any] = {
    "connection_timeout": 5,
    "read_timeout": 5,
    "retry_total": 2,
    "initial_backoff": 1,
    "increment_base": 2,
}
"""Options of a storage client: what is not answered in five seconds is tried twice more, as .NET's clients do, and fails."""
