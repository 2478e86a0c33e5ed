"""docs/architecture.md says what the code has, no more and no less, in as many words as a stranger reads."""

from __future__ import annotations

import re

from tests.docs.pages import ROOT, page, spans
from tests.domain.signal_model import TRANSITIONS
from tests.test_architecture import FLOORS

PAGE = page("docs/architecture.md")

MOST_WORDS = 2_000


def test_the_house_is_drawn_as_it_stands() -> None:
    """Every part of router/ is on the page, and nothing else is."""
    (tree,) = [fence.text for fence in PAGE.fences if fence.text.startswith("router/\n")]
    drawn = {line.split()[0].rstrip("/") for line in tree.splitlines()[1:]}
    parts = {path.name for path in (ROOT / "router").iterdir() if not path.name.startswith("__")}
    assert drawn == parts


def test_the_table_of_imports_is_the_one_that_is_enforced() -> None:
    """What each part may import is on the page as the architecture test has it."""
    rows = PAGE.table("The house", "part")
    written = {part: set(spans(row["may import"])) for row in rows for part in spans(row["part"])}
    assert written == FLOORS


def test_the_page_is_short_enough_to_be_read() -> None:
    """Detail goes to where it is needed."""
    assert len(PAGE.text.split()) <= MOST_WORDS


def test_the_states_of_a_delivery_are_drawn_as_they_change() -> None:
    """An arrow for every change of state that the functions of the lifecycle make, and no other."""
    (drawing,) = [fence.text for fence in PAGE.fences if fence.text.startswith("stateDiagram-v2")]
    arrows = set(re.findall(r"^ +(\S+) --> (\w+)", drawing, re.MULTILINE))
    changes = {(before or "[*]", after) for made in TRANSITIONS.values() for before, after in made}
    assert arrows == changes
