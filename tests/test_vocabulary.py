"""One word for one idea, and where the field has a word it is the field's: names are searched for the words that went."""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from fnmatch import fnmatch
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]

PARTS = ("router", "alert_router_demo", "function_app.py", "infra", "benchmarks", "tests")

GONE = {
    "epoch": "era eras",
    "in-flight marker": "mark marks marked",
    "what a poison message came to": "fate fates",
    "exclusive lock": "company",
    "intake": "taking takings",
    "observation": "sighting sightings",
    "message, or its parser": "reading readings",
    "transition": "fold folds folded folding fulfil fulfils fulfilled",
    "group, member, limit": "board boards card cards slot slots",
    "notified": "told",
    "aggregation": "gather gatherer gatherers",
    "queued; requeue": "pointed put_off",
    "worker": "carrier carriers carry carried",
    "probe, attempt": "trial trials",
    "pending row": "stage stages",
    "in flight": "in_hand",
    "superseded": "unsaid last_words",
    "observer": "hearing",
    "quarantined": "kept",
    "destination": "desk desks place places",
}
"""The words that went, beside the standard term, or some of them, that says it."""

WORDS = {word for gone in GONE.values() for word in gone.split()}

ENGLISH = {
    "carried", "carry", "company", "fold", "folded", "folding", "gather", "hearing", "in_hand", "kept", "mark", "marked",
    "marks", "place", "places", "pointed", "put_off", "reading", "stage", "stages", "taking", "told",
}  # fmt: skip
"""Those that are plain English where a sentence is written: the name of a test is one."""

EXCEPTIONS = {
    "router/domain/hubs.py Arrival.place": "a message is known by its file's body and its place in it",
    "router/domain/notices.py NamedMember.place": "a key of the stored JSON of a notice",
    "router/store/standing.py *lace*": "where in the order of a list a page ends",
    "tests/store/opened.py Place": "where a state is: a directory or a database",
    "tests/store/fixtures.py place": "where a state is: a directory or a database",
    "tests/console/states.py State.place": "where a state is: a directory or a database",
    "tests/ingest/test_hostile_documents.py places_in": "where a value lies in a document",
    "tests/*/test_chats.py *card*": "Microsoft's own: what Teams shows is an Adaptive Card",
    "tests/pictures/cards.py *card*": "Microsoft's own: what Teams shows is an Adaptive Card",
    "tests/docs/*gallery.py *card*": "Microsoft's own: what Teams shows is an Adaptive Card",
    "alert_router_demo/soc/teams.py cards": "Microsoft's own: what Teams shows is an Adaptive Card",
}
"""Names that hold such a word and stay, each with its reason: patterns of a file's path and a name."""

UNFINDABLE = {"take", "find", "add", "send"}
"""Verbs that half the code shares: whoever looks for the callers of a protocol by them finds everything else."""


class Name(NamedTuple):
    """A name that the code gives to something: that of a field stands behind the name of the class that declares it."""

    text: str
    is_test: bool
    path: str
    line: int


def files(*parts: str) -> Iterator[Path]:
    """The Python files of some parts of the repository."""
    for part in parts:
        path = ROOT / part
        yield from sorted(path.rglob("*.py")) if path.is_dir() else [path]


def names_in(path: Path) -> Iterator[Name]:
    """Every name that the test looks at in a file, the file's own and its folders' among them."""
    shown = path.relative_to(ROOT)
    for part in (*shown.parts[:-1], shown.stem):
        yield Name(part, False, str(shown), 1)
    for node in ast.walk(ast.parse(path.read_text())):
        found: list[str] = []
        match node:
            case ast.ClassDef(name=name, body=body):
                fields = [one.target for one in body if isinstance(one, ast.AnnAssign)]
                found += [name, *(f"{name}.{one.id}" for one in fields if isinstance(one, ast.Name))]
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.TypeAlias(name=ast.Name(id=name)):
                found.append(name)
            case ast.Attribute(value=ast.Name(id="self"), attr=name, ctx=ast.Store()):
                found.append(name)
        for name in found:
            is_test = name.startswith("test_") and not isinstance(node, ast.Attribute)
            yield Name(name, is_test, str(shown), getattr(node, "lineno", 0))


def words_of(name: str) -> list[str]:
    """The words of a name, split at capitals and underscores, in lower case."""
    return [word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name)]


def gone_in(name: Name) -> set[str]:
    """The words of a name that went; in the name of a test, which is a sentence, plain English stays."""
    words = words_of(name.text.rpartition(".")[2])
    hits = WORDS & {*words, *(f"{one}_{next}" for one, next in pairwise(words))}
    return hits - ENGLISH if name.is_test else hits


@cache
def names_to_mind() -> list[tuple[Name, set[str]]]:
    """Every name that holds words that went, and those words; each file is parsed once for all tests."""
    return [(name, words) for path in files(*PARTS) for name in names_in(path) if (words := gone_in(name))]


def find_exception(name: Name) -> str | None:
    """The exception that lets a name stay; None where there is none."""
    return next((pattern for pattern in EXCEPTIONS if fnmatch(f"{name.path} {name.text}", pattern)), None)


def classes_of(path: Path) -> Iterator[ast.ClassDef]:
    """The classes that a file defines, also inside others."""
    return (node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ClassDef))


def test_no_name_holds_a_word_that_went() -> None:
    """Each thing is named once, by the standard term. Names are split at capitals and underscores; each exception is needed."""
    words = {"EraMarks": {"era", "marks"}, "_put_off_until": {"put_off"}, "InHand": {"in_hand"}, "HTTPCard": {"card"}}
    words |= {"camera": set(), "discarded": set(), "pointer": set()}
    assert {name: gone_in(Name(name, False, "", 0)) for name in words} == words
    found = [(name, words) for name, words in names_to_mind() if find_exception(name) is None]
    assert not found
    used = {find_exception(name) for name, _ in names_to_mind()}
    assert EXCEPTIONS.keys() - used == set()


def test_classes_and_the_methods_of_protocols_are_found_by_their_names() -> None:
    """No two classes share one, and who looks for the callers of a seam finds them, and not half the code."""
    found = defaultdict(list)
    for path in files("router", "alert_router_demo"):
        for node in classes_of(path):
            found[node.name].append(str(path.relative_to(ROOT)))
    shared = {name: paths for name, paths in found.items() if len(paths) > 1}
    assert not shared
    unfindable = sorted(
        f"{path.relative_to(ROOT)}:{method.lineno}: {node.name}.{method.name}"
        for path in files("router/domain")
        for node in classes_of(path)
        if any(isinstance(base, ast.Name) and base.id == "Protocol" for base in node.bases)
        for method in node.body
        if isinstance(method, ast.FunctionDef | ast.AsyncFunctionDef) and method.name in UNFINDABLE
    )
    assert not unfindable, "\n".join(unfindable)
