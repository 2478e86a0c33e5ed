"""The program one version ahead: this one, and one more step of the schema, which only tests bring."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from router.store.store import STEPS, TABLES, VERSION

ROOT = Path(__file__).parents[1]

_VIEWS = re.findall(r"^CREATE VIEW IF NOT EXISTS v_decisions .*?;\n", STEPS[0], re.MULTILINE | re.DOTALL)


def step_over(tables: Iterable[str]) -> str:
    """A column in each of some tables, a table, an index, and another view, all of which this program lets be."""
    return "\n".join(
        (
            f"INSERT INTO meta (name, value) VALUES ('oldest', '{VERSION}');",
            *(f"ALTER TABLE {name} ADD COLUMN later TEXT NOT NULL DEFAULT '';" for name in tables),
            "CREATE TABLE IF NOT EXISTS later (place PLACE, signal TEXT NOT NULL UNIQUE, note TEXT);",
            "CREATE INDEX IF NOT EXISTS decided_later ON decisions (later, at);",
            *("--sqlite DROP VIEW v_decisions;\n" + view.replace(", turn\n", ", turn, later\n") for view in _VIEWS),
        )
    )


STEP = step_over(name for name in TABLES if name != "meta")

_OWN = (Path(), Path("router"), Path("router/store"), Path("router/store/migrations"))
_BESIDE = ("router", "tests", "function_app.py", "host.json")


def make_newer(directory: Path) -> Path:
    """Makes that program in a directory, of links to this one's files, from where `python -m router` starts it."""
    for inside in _OWN:
        (directory / inside).mkdir(exist_ok=True)
        for path in (ROOT / inside).iterdir():
            if inside / path.name not in _OWN and (inside != Path() or path.name in _BESIDE):
                (directory / inside / path.name).symlink_to(path)
    (directory / _OWN[-1] / f"{VERSION + 1:04}.sql").write_text(STEP)
    return directory
