"""Writes what Bicep reads of the program: the secrets that the rules name, and the columns that rows have.

`make infra` runs it, and `azd up` before it provisions. What it writes is kept in the repository, so that a change shows;
a test fails where it is stale.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path

from router.assembly import load_rules, secret_names_of
from router.destinations.log_tables import TABLES, LogTable
from router.domain.errors import BadPolicy
from router.domain.signals import Stream

ROOT = Path(__file__).parents[1]
HERE = ROOT / "infra" / "generated"


def secrets(rules: Path, now: datetime) -> list[str]:
    """The names of the app settings that hold the secrets of both streams; raises BadPolicy where a policy is of no use."""
    return sorted(secret_names_of(load_rules(rules, list(Stream), now).books.values()))


def columns(table: LogTable) -> list[dict[str, str]]:
    """The columns of a table as Azure wants them told."""
    return [{"name": name, "type": kind} for name, kind in table.columns.items()]


def log_tables(tables: Iterable[LogTable]) -> list[dict[str, object]]:
    """The tables with their columns."""
    return [{"name": table.name, "columns": columns(table)} for table in tables]


def log_streams(tables: Iterable[LogTable]) -> dict[str, dict[str, object]]:
    """The declarations of what is sent, by the name of the stream: Custom- and the table, whosever table it is."""
    return {f"Custom-{table.name}": {"columns": columns(table)} for table in tables}


def documents(rules: Path, now: datetime) -> Mapping[str, object]:
    """What is generated, by the name of its file."""
    return {
        "secrets.json": secrets(rules, now),
        "log-tables.json": log_tables(TABLES.values()),
        "log-streams.json": log_streams(TABLES.values()),
    }


def written(document: object) -> str:
    """A document as it stands in its file."""
    return json.dumps(document, indent=2) + "\n"


def main() -> int:
    """Writes the files; 1 and one line a problem where the rules are of no use."""
    try:
        found = documents(ROOT / "rules", datetime.now(UTC))
    except BadPolicy as fault:
        print(fault, file=sys.stderr)
        return 1
    HERE.mkdir(exist_ok=True)
    for name, document in found.items():
        (HERE / name).write_text(written(document))
    return 0


if __name__ == "__main__":
    sys.exit(main())
