"""The guards of CONTRIBUTING count rightly: what the house measures, and when a benchmark row got worse."""

from collections.abc import Mapping
from math import nan
from pathlib import Path

import pytest

from benchmarks.checkouts import Checkout, NotRun
from benchmarks.quick import Measurement, Row, compared
from benchmarks.table import Row as Promised
from benchmarks.table import replaced
from tests.house import BUDGETS, GRANTED, Figures, Size, figures, find_excesses

OURS, THEIRS, GUARD = Checkout(Path("ours")), Checkout(Path("theirs")), Checkout(Path("guard"))

TREE = {
    "README.md": "Two words\n",
    "docs/more/page.md": "and three more\n",
    "docs/picture.svg": "no paper",
    "function_app.py": "from router.store import Engine\n",
    "alert_router_demo/__init__.py": "from router.cli.shared import both\n",
    "tests/test_one.py": "import router.cli.tested_twice\n\n\n",
    "router/__init__.py": "",
    "router/store/__init__.py": 'from router.store.store import Engine\n\n__all__ = ["Engine"]\n',
    "router/store/store.py": "class Engine:\n    pass\n",
    "router/store/schema.sql": "CREATE\nTABLE\n",
    "router/store/plans.tsv": "data, and no lines of the house\n",
    "router/cli/__init__.py": "",
    "router/cli/page.j2": "<p>\n</p>\n<!-- nobody -->\n",
    "router/cli/words.py": "# Whoever reads, and anybody who asks.\nfrom router.cli import shared\n",
    "router/cli/shared.py": "def both() -> None: ...\n",
    "router/cli/tested_twice.py": "import router.cli.words\n",
    "router/cli/alone.py": "",
}
"""Files that show what counts, and their text."""


def house(root: Path, **more: str) -> Figures:
    """The figures of a tree; `more` are further files of `router/cli`."""
    for path, text in {**TREE, **{f"router/cli/{name}.py": text for name, text in more.items()}}.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    return figures(root)


def test_the_house_counts_files_and_lines_by_room_and_names_one_that_holds_too_many(tmp_path: Path) -> None:
    """Python, SQL and templates count, tables of data do not. A tenth over its budget is let pass; a line more is not."""
    found = house(tmp_path)
    assert found.rooms == {"": Size(1, 0), "store": Size(3, 7), "cli": Size(6, 7)}
    assert found.router == Size(10, 14)
    assert found.median == 1.5
    assert (found.words, found.test_lines, found.voice) == (5, 3, 3)
    most = max(BUDGETS["cli"].lines * 11 // 10, GRANTED.get("cli", Size(0, 0)).lines)
    for over in (0, 1):
        named = list(find_excesses(house(tmp_path, long="\n" * (most + over - 7))))
        assert [line.partition(":")[0] for line in named] == ["router/cli"] * over


def test_a_row_is_worse_if_it_differs_by_more_than_its_noise_and_a_count_if_one_pair_does() -> None:
    """What the pairs differ by may be what the machine did meanwhile, up to 10 %, and so may 3 %; no count depends on that."""
    rows: dict[tuple[float, ...], bool] = {(1.05, 1.06, 1.08): True, (1.05, 1.06, 1.11): False, (1.11, 1.5, 3): True}
    rows |= {(9, 9, 1): False, (1.02, 1.02, 1.02): False, (0.5, 0.6, 0.7): False, (): False}
    assert {pairs: Row("CPU", "before", pairs).is_worse for pairs in rows} == rows
    counts = {(1, 1, 1.04): True, (1, 1, 1.02): False, (0, 0.5, 1): False}
    assert {pairs: Row("statements", "before", pairs, is_count=True).is_worse for pairs in counts} == counts


@pytest.mark.parametrize("theirs", [{}, {"CPU": 0.0}, None])
def test_a_row_that_a_commit_has_not_is_not_comparable(theirs: Mapping[str, float] | None) -> None:
    """It has no such program, or nothing is counted where this one counts; nothing fails by that, and another commit has it."""

    def measure(checkout: Checkout) -> Mapping[str, float]:
        if checkout is THEIRS and theirs is None:
            raise NotRun("python -m nothing: ended with 1: No module named nothing")
        return theirs if checkout is THEIRS and theirs is not None else {"CPU": 1}

    rows = compared(Measurement(measure), OURS, {"before": THEIRS, "guard": GUARD})
    assert [(row.cells()[1], row.cells()[-1], row.is_worse) for row in rows] == [
        ("before", "not comparable", False),
        ("guard", "ok", False),
    ]


def test_a_pair_takes_the_least_of_its_turns_and_a_start_is_taken_off_it() -> None:
    """So that a turn in which one side was slow is nothing, and one slow start makes nothing look fast."""
    seconds = {OURS: iter([2, 20, 2, 2, 2, 20]), THEIRS: iter([1, 1, 1, 1, 1, 10])}
    measurement = Measurement(lambda checkout: {"CPU": next(seconds[checkout])}, turns=2)
    (row,) = compared(measurement, OURS, {"before": THEIRS})
    assert (row.pairs, row.is_worse) == ([2, 2, 2], True)
    starts = {OURS: iter([(20, 10), (25, 24)] * 3), THEIRS: iter([(15, 10)] * 6)}

    def measure(checkout: Checkout) -> Mapping[str, float]:
        return dict(zip(("CPU", "start"), next(starts[checkout]), strict=True))

    rows = compared(Measurement(measure, turns=2, start="start"), OURS, {"before": THEIRS})
    assert [(row.what, row.pairs) for row in rows] == [("CPU", [2, 2, 2]), ("start", [1, 1, 1])]


def test_the_table_decides_by_its_numbers_and_says_what_could_not_be_measured() -> None:
    """A verdict is never written by hand; and a page without a place for results is not written at all."""
    verdicts = {
        "REACHED": Promised(what="a", measured=2, limit=2),
        "MISSED": Promised(what="a", measured=2, limit=2.1, at_least=True),
        "NOT MEASURED": Promised(what="a", measured=nan, limit=2),
        "-": Promised(what="a", measured=2),
    }
    assert [row.verdict for row in verdicts.values()] == [*verdicts]
    page = "before\n<!-- results -->\nold\n<!-- end of results -->\nafter\n"
    assert replaced(page, "new") == page.replace("old", "new")
    with pytest.raises(ValueError, match="0 places"):
        replaced("no place", "new")
