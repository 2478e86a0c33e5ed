"""What Microsoft's own parser says of queries: whether names and types are right, and what columns come out.

It is @kusto/language-service-next, the one behind the editors of Azure's portals. It knows a schema and no rows.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests import npm
from tests.infra.queries.tables import Columns

_HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class ParsedQuery:
    """What a query is to the parser: its problems, and the columns of its answer with their types."""

    problems: Sequence[str]
    columns: Columns


def parse_queries(queries: Sequence[str], schema: Mapping[str, Columns]) -> list[ParsedQuery]:
    """What the parser says of each query over tables of a schema."""
    packages = npm.installed(_HERE, "kusto")
    asked = {"modules": str(packages.modules), "schema": schema, "queries": queries}
    node = [str(packages.node), str(_HERE / "read.cjs")]
    said = subprocess.run(node, input=json.dumps(asked), capture_output=True, text=True, check=True).stdout
    return [ParsedQuery(**one) for one in json.loads(said)]
