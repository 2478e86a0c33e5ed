"""There is one double of each vendor's API, it stands in the SOC, and it says where the vendor describes it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from alert_router_demo.soc import Soc

ROOT = Path(__file__).parents[3]
SOC = ROOT / "alert_router_demo" / "soc"
_BASES = {"Endpoint", "Double"}
AZURE = ROOT / "tests" / "stack"
"""Where Azure's own side is played, which is no vendor that a SOC has."""


def doubles_in(path: Path) -> Iterator[str]:
    """The classes of a file that are made of nothing but an endpoint, or of nothing but a double."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ClassDef) and node.name != "Endpoint" and _BASES & set(map(ast.unparse, node.bases)):
            yield node.name


def test_a_double_says_where_its_vendor_describes_the_api() -> None:
    """One class in a file, whose docstring links the vendor's documentation."""
    for path in SOC.glob("*.py"):
        found = list(doubles_in(path))
        assert len(found) <= 1, path.name
        assert not found or "https://" in (ast.get_docstring(ast.parse(path.read_text())) or ""), path.name


def test_nobody_else_plays_a_vendor() -> None:
    """Tests, `make stack` and benchmarks use the SOC's; what they need of another kind of trouble stands before it."""
    for part in ("tests", "benchmarks"):
        for path in (ROOT / part).rglob("*.py"):
            if AZURE in path.parents:
                continue
            assert not list(doubles_in(path)), path.relative_to(ROOT)


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
