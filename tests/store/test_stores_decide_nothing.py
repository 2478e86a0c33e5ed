"""Stores find and write rows: which delivery is next, claimed, paused or dead is decided in `domain/` alone."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

STORE = Path(__file__).parents[2] / "router" / "store"

RULES = "turn|attempts|lost|redriven|change|opened"
"""The columns by which deliveries are ordered and judged."""

COMPARISON = re.compile(
    rf"(?:\w+\.)?\b(?:{RULES})\b *(?:<>|[<>!=]=?|IN\b|BETWEEN\b|(?:eq|ne|lt|gt|le|ge)\b) *[\w.?'({{:]+"
    rf"|[\w.?'}}:]+ *(?:<>|[<>!=]=?|\b(?:eq|ne|lt|gt|le|ge)\b) *\w+\.(?:{RULES})\b"
    rf"|ORDER BY [\w., ]*\b(?:{RULES})\b|(?:min|max)\([\w.]*\b(?:{RULES})\b"
    r"|\bSET\b(?:(?!\bWHERE\b).)*?\bstate *= *'\w+'",
    re.IGNORECASE,
)
"""What compares such a column in SQL or in a filter of a table, goes by its order, or sets a state."""

SELECTIONS = {
    ("sqlite/delivery_rows.py", "p.turn=d.turn"): "finds what a delivery tells",
    ("sqlite/delivery_rows.py", "SET state='dead'"): "a row that cannot be decoded makes no entry",
    ("sqlite/delivery_rows.py", "SET state='skipped'"): "a row that cannot be decoded makes no entry",
    ("sqlite/entry_rows.py", "attempts=?"): "writes what was decided",
    ("sqlite/entry_rows.py", "lost=?"): "writes what was decided",
    ("sqlite/entry_rows.py", "redriven=?"): "writes what was decided",
    ("sqlite/ledger.py", "turn=?"): "writes the turn of a signal in the ledger",
    (
        "sqlite/outbox_table.py",
        "ORDER BY f.turn",
    ): "passes over signals whose first turn is not due, which comes up when it is",
    ("sqlite/outbox_table.py", "o.turn=d.opened"): "finds the receipt of the opening",
    ("sqlite/schema.py", "attempts BETWEEN 0"): "finds what no delivery holds",
    ("sqlite/schema.py", "redriven BETWEEN 0"): "finds what no delivery holds",
    ("sqlite/schema.py", "lost BETWEEN 0"): "finds what no delivery holds",
    ("sqlite/schema.py", "turn BETWEEN 1"): "finds what no delivery holds",
    ("sqlite/schema.py", "opened BETWEEN 1"): "finds what no delivery holds",
    ("sqlite/schema.py", "change IN ('opened'"): "finds what no delivery holds",
    ("sqlite/delivery_status.py", "ORDER BY destination, turn"): "lists what people ask for",
    ("sqlite/delivery_status.py", "ORDER BY d.turn"): "finds what a destination was last told, for people",
    ("sqlite/delivery_status.py", "p.turn=d.turn"): "finds what a delivery tells",
    ("sqlite/forgetting/old_deliveries.py", "turn=?2"): "takes away what only a delivery told that went",
    ("sqlite/forgetting/old_deliveries.py", "d.turn=?2"): "takes away what only a delivery told that went",
    ("sqlite/schema.py", "redriven>0"): "an index of what people acted on",
}
"""What SQL may compare, and why that decides nothing."""

FIELDS = {*RULES.split("|"), "state", "lease", "claim", "due", "born", "settled", "probe", "since"}
"""What entries and pauses are judged by."""

COMPARISONS = {
    ("azure/outbox/deliveries.py", "entry.opened != entry.turn"): "finds the receipt of the opening",
    ("azure/outbox/deliveries.py", "row.get('state') != DeliveryState.DEAD"): "finds dead letters, damaged ones too",
    ("azure/outbox/deliveries.py", "row.get('state') == DeliveryState.DEAD"): "finds dead letters, damaged ones too",
    ("azure/outbox/entry_rows.py", "entry.settled is not None"): "keeps an index of the dead by that instant",
    ("azure/outbox/mending.py", "change is Change.OPENED"): "mends a column of a damaged row",
    ("azure/outbox/mending.py", "state is DeliveryState.CLAIMED"): "mends a column of a damaged row",
    (
        "azure/outbox/mending.py",
        "match DeliveryState.OWED | DeliveryState.CLAIMED",
    ): "keeps the indexes of a damaged row",
    ("azure/outbox/mending.py", "match DeliveryState.DEAD"): "keeps the indexes of a damaged row",
    ("azure/outbox/pointers.py", "one.due > now"): "hides a message for so long",
    ("azure/outbox/old_deliveries.py", "row.get('state') not in _STATES"): "finds damaged rows",
    ("azure/outbox/old_deliveries.py", "row['state'] in _OVER"): "finds what may have no signal any more",
    (
        "azure/outbox/old_deliveries.py",
        "row['settled'] <= sorting(settled_until)",
    ): "finds what may have no signal any more",
    ("azure/outbox/old_deliveries.py", "one.state is DeliveryState.SENT"): "remembers who took a delivery",
    ("azure/outbox/status.py", "one.state is DeliveryState.SENT"): "finds what a destination was last told, for people",
    ("azure/outbox/status.py", "sorted by turn"): "lists what people ask for",
    ("azure/forgetting/old_states.py", "one.turn != state.opened"): "is about groups",
    ("azure/forgetting/old_states.py", "one.turn == state.opened"): "is about groups",
    ("outbox/claiming.py", "signal.turn is None"): "asks for what a pointer points at, and no other",
    ("outbox/claiming.py", "signal.turn is not None"): "asks for what a pointer points at, and no other",
    ("outbox/claiming.py", "step.entry.turn == signal.turn"): "asks for what a pointer points at, and no other",
    ("outbox/claiming.py", "step.entry.lease is None"): "asks whether a pointer will come",
    ("outbox/giving_up.py", "one.born <= born_until"): "selects by age what its caller gives up on",
    ("outbox/in_flight.py", "oldest.lease is None"): "forgets what is long over",
    ("outbox/in_flight.py", "oldest.lease >= now - _LONG_OVER"): "forgets what is long over",
    ("outbox/settling.py", "one.state is DeliveryState.SENT"): "remembers who took a delivery",
    ("sqlite/forgetting/old_groups.py", "entry.turn != state.opened"): "is about groups",
    ("sqlite/entry_rows.py", "state is DeliveryState.CLAIMED"): "reads `due` of a claimed row as its lease",
    ("sqlite/outbox_table.py", "row.raw('state') in _OPEN"): "finds damaged rows",
    ("sqlite/outbox_table.py", "row.raw('state') == DeliveryState.DEAD"): "finds dead letters, damaged ones too",
    ("journal.py", "row.raw('settled') is not None"): "is about sequence numbers",
}
"""What a module of a store may compare, and why that decides nothing."""


def trees() -> Iterator[tuple[str, ast.Module]]:
    """Every module of the stores, by its path."""
    for path in sorted(STORE.rglob("*.py")):
        yield str(path.relative_to(STORE)), ast.parse(path.read_text())


def texts(tree: ast.Module) -> Iterator[str]:
    """The texts in a module, those beside each other as one; what is filled in stands there as `{}`."""
    documentation = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if id(node) in documentation:
            continue
        if isinstance(node, ast.JoinedStr):
            yield "".join(str(one.value) if isinstance(one, ast.Constant) else "{}" for one in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def is_judged_by(side: ast.expr) -> bool:
    """Whether one side of a comparison is a field that deliveries are judged by, or one of their states or changes."""
    match side:
        case ast.Attribute(attr=name) if name in FIELDS:
            return True
        case ast.Subscript(slice=ast.Constant(value=str(name))):
            return name in FIELDS
        case ast.Call(args=[ast.Constant(value=str(name)), *_]):
            return name in FIELDS
    return any(
        isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id in ("DeliveryState", "Change")
        for node in ast.walk(side)
    )


def comparisons(tree: ast.Module) -> Iterator[str]:
    """What a module compares that deliveries are judged by, and what it orders by their turns."""
    for node in ast.walk(tree):
        match node:
            case ast.Compare(left=left, comparators=others) if any(map(is_judged_by, (left, *others))):
                yield ast.unparse(node)
            case ast.match_case(pattern=pattern) if "DeliveryState." in ast.unparse(pattern):
                yield f"match {ast.unparse(pattern)}"
            case ast.Call(func=ast.Name(id="min" | "max" | "sorted" as name)) if ".turn" in ast.unparse(node):
                yield f"{name} by turn"


def test_sql_decides_nothing() -> None:
    """It selects by stream, destination, instants and states; each other comparison is listed with its reason."""
    found = {
        (path, one.group().strip())
        for path, tree in trees()
        for text in texts(tree)
        for one in COMPARISON.finditer(text)
    }
    assert found == SELECTIONS.keys()


def test_no_module_of_a_store_decides_anything() -> None:
    """What may be claimed and what it becomes is asked of the domain; each comparison is listed with its reason."""
    found = {(path, one) for path, tree in trees() for one in comparisons(tree)}
    assert found == COMPARISONS.keys()


def test_what_used_to_decide_in_sql_would_be_found() -> None:
    """The statements of the program before this one."""
    before = (
        "SELECT 1 FROM deliveries e WHERE e.turn<d.turn AND e.state IN ('owed', 'claimed')",
        "SELECT 1 FROM deliveries a WHERE a.attempts>0 OR a.redriven>0",
        "UPDATE deliveries SET state='skipped', settled=? WHERE destination=?",
        "SELECT 1 FROM deliveries WHERE turn>? AND state='sent' AND CASE ? WHEN 'opened' THEN change IN ('opened')",
        "SELECT d.lost + (d.state='claimed') AS losses FROM deliveries d WHERE d.lost >= 3",
        "SELECT key, min(turn) FROM deliveries GROUP BY key",
        "attempts gt 0 and turn lt 7",
    )
    assert all(COMPARISON.search(text) for text in before)
