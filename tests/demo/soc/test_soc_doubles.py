"""There is one double of each vendor's API, it stands in the SOC, and it says where the vendor describes it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from alert_router_demo.soc import Soc

ROOT = Path(__file__).parents[3]
SOC = ROOT / "alert_router_demo" / "soc"
_BASES = {"Endpoint", "Double"}
_BASED = re.compile(r"^ *class \w+\(.*(Endpoint|Double)", re.MULTILINE)
AZURE = ROOT / "tests" / "stack"
"""Where Azure's own side is played, which is no vendor that a SOC has."""


def doubles_in(path: Path) -> Iterator[str]:
    """The classes of a file that are made of nothing but an endpoint, or of nothing but a double."""
    text = path.read_text()
    for node in ast.walk(ast.parse(text)) if _BASED.search(text) else ():
        if isinstance(node, ast.ClassDef) and node.name != "Endpoint" and _BASES & set(map(ast.unparse, node.bases)):
            yield node.name


def test_a_double_says_where_its_vendor_describes_the_api_and_nobody_else_plays_a_vendor() -> None:
    """One class in a file, whose docstring links the vendor's documentation. Tests, `make stack` and benchmarks use the SOC's;
    what they need of another kind of trouble stands before it."""
    for path in SOC.glob("*.py"):
        found = list(doubles_in(path))
        assert len(found) <= 1, path.name
        assert not found or "https://" in (ast.get_docstring(ast.parse(path.read_text())) or ""), path.name
    others = [path for part in ("tests", "benchmarks") for path in (ROOT / part).rglob("*.py")]
    assert not [path for path in others if AZURE not in path.parents and any(doubles_in(path))]


def test_every_double_is_in_the_soc(soc: Soc) -> None:
    """Each has an address there, and a name and a word for what it holds of its own."""
    assert {type(endpoint).__name__ for endpoint in soc.endpoints} == {
        name for path in SOC.glob("*.py") for name in doubles_in(path)
    }
    assert (
        len({endpoint.name for endpoint in soc.endpoints})
        == len({one.holds for one in soc.endpoints})
        == len(soc.endpoints)
    )
