"""Breaks of statements: which ones a seed draws, and where the same one is in another tree."""

import ast
import difflib
import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from pathlib import Path

_SWAPS = {
    ast.Lt: ("<", "<="), ast.LtE: ("<=", "<"), ast.Gt: (">", ">="), ast.GtE: (">=", ">"), ast.Eq: ("==", "!="),
    ast.NotEq: ("!=", "=="), ast.Is: ("is", "is not"), ast.IsNot: (r"is\s+not", "is"), ast.In: ("in", "not in"),
    ast.NotIn: (r"not\s+in", "in"), ast.And: ("and", "or"), ast.Or: ("or", "and"), ast.Add: (r"\+", "-"), ast.Sub: ("-", "+"),
}  # fmt: skip
_EMPTY = {ast.List: "[]", ast.Dict: "{}", ast.Tuple: "()", ast.ListComp: "[]", ast.DictComp: "{}", ast.SetComp: "set()"}
_BLOCKS = ("body", "handlers", "cases", "orelse", "finalbody")
_NO_CODE = (ast.Import, ast.ImportFrom, ast.Assert, ast.TypeAlias, ast.Global, ast.Nonlocal, ast.Pass)
_UNBROKEN = ("annotation", "returns", "pattern", "type_params")
"""Fields of statements that hold no code to break: types, and patterns, which are no expressions."""
_COARSE = {"nothing returned"}
"""Kinds that are drawn only where a statement has no other: almost any test notices them."""
_ALIKE = 0.6
"""The ratio of difflib from which on a statement counts as an edited form of another."""

Change = tuple[str, int, int, str]
"""A kind of break, the first byte that it replaces, the byte behind the last, and the new code."""


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement without the blocks in it.

    Attributes:
        function: its function's name behind those of its classes; outside of functions, the name that it assigns.
        text: its first line as `ast.unparse` writes it.
        nth: its number among those with this text in its function.
    """

    file: str
    node: ast.stmt
    function: str
    text: str
    nth: int
    is_in_function: bool

    @property
    def lines(self) -> range:
        """The lines from its first to its last."""
        ends = [part.end_lineno or 0 for part in _parts_of(self.node) if isinstance(part, ast.expr)]
        return range(self.node.lineno, max([self.node.lineno, *ends]) + 1)


@dataclass(frozen=True, slots=True)
class Break:
    """A change of one place in one statement.

    Attributes:
        nth: its number among those of its kind in the statement.
        change: the old code and the new code, for people.
        broken: the new text of the file.
    """

    statement: Statement
    kind: str
    nth: int
    change: str
    broken: str

    @property
    def key(self) -> str:
        """A name that no other break of the tree has."""
        return f"{self} ({self.statement.nth}, {self.nth}) in {self.statement.text}"

    def __str__(self) -> str:
        at = self.statement
        return f"{at.file}:{at.lines.start} {at.function}: {self.kind}, {self.change}"


class Source:
    """A file of `router/`, its statements, and their breaks."""

    def __init__(self, root: Path, path: Path) -> None:
        self.file, self._bytes = path.relative_to(root).as_posix(), path.read_bytes()
        self._starts = [0, *accumulate(map(len, self._bytes.splitlines(keepends=True)))]

    @cached_property
    def statements(self) -> list[Statement]:
        """The statements that run: none for type checkers alone, none of `__repr__`, none of a protocol."""
        seen: Counter[tuple[str, str]] = Counter()
        found = []
        for node, names, is_in_function in _statements_in(ast.parse(self._bytes).body, (), False):
            function = ".".join(names if is_in_function else (*names, *_made_by(node)))
            text = ast.unparse(node).partition("\n")[0]
            found.append(Statement(self.file, node, function, text, seen[function, text], is_in_function))
            seen[function, text] += 1
        return found

    def breaks_of(self, statement: Statement) -> Iterator[Break]:
        """Yield the breaks of a statement after which the file still compiles."""
        seen: Counter[str] = Counter()
        for kind, start, end, new in self._changes_of(statement):
            old = self._bytes[start:end].decode()
            broken = f"{self._bytes[:start].decode()}{new}{self._bytes[end:].decode()}"
            try:
                compile(broken, self.file, "exec", dont_inherit=True)
            except SyntaxError:
                continue
            change = f"`{_short(old)}` becomes `{_short(new)}`" if new else f"without `{_short(old)}`"
            yield Break(statement, kind, seen[kind], change, broken)
            seen[kind] += 1

    def _changes_of(self, statement: Statement) -> Iterator[Change]:
        match statement.node:
            case node if not statement.is_in_function:
                pass
            case ast.If(test=test) | ast.While(test=test):
                yield self._replace("condition negated", test, f"not ({self._said(test)})")
            case ast.Expr(value=ast.Call() | ast.Await()) | ast.AugAssign() | ast.Raise() | ast.Delete() as node:
                yield self._replace("statement dropped", node, "pass")
            case ast.Assign(targets=[ast.Attribute() | ast.Subscript(), *_]) as node:
                yield self._replace("statement dropped", node, "pass")
            case ast.Return(value=ast.expr() as value) if not isinstance(value, ast.Constant):
                yield self._replace("nothing returned", value, _EMPTY.get(type(value), "None"))
            case ast.Continue() | ast.Break() as node:
                yield self._replace(
                    "continue and break", node, "break" if isinstance(node, ast.Continue) else "continue"
                )
        for part in _parts_of(statement.node):
            yield from self._changes_at(part)

    def _changes_at(self, part: ast.AST) -> Iterator[Change]:
        match part:
            case ast.Compare(left=left, ops=[op], comparators=[right]) if type(op) in _SWAPS:
                is_order = isinstance(op, ast.Lt | ast.LtE | ast.Gt | ast.GtE)
                yield from self._swap("boundary" if is_order else "comparison", op, left, right)
            case ast.BoolOp(op=op, values=[left, right]):
                yield from self._swap("and and or", op, left, right)
            case ast.BinOp(left=left, op=ast.Add() | ast.Sub() as op, right=right):
                yield from self._swap("plus and minus", op, left, right)
            case ast.IfExp(test=test) | ast.comprehension(ifs=[test, *_]):
                yield self._replace("condition negated", test, f"(not ({self._said(test)}))")
            case ast.Constant(value=bool() as value):
                yield self._replace("true and false", part, str(not value))
            case ast.Constant(value=int() as value):
                yield self._replace("number", part, str(value + 1))
            case ast.Call(keywords=keywords):
                yield from (self._drop("keyword dropped", one) for one in keywords if one.arg is not None)
            case ast.List(elts=items) | ast.Tuple(elts=items) | ast.Set(elts=items) if len(items) > 2:
                yield from (self._drop("item dropped", one) for one in items)

    def _span(self, node: ast.AST) -> tuple[int, int]:
        lines = (node.lineno, node.col_offset), (node.end_lineno, node.end_col_offset)  # type: ignore[attr-defined]
        return tuple(self._starts[line - 1] + column for line, column in lines)

    def _said(self, node: ast.AST) -> str:
        return self._bytes[slice(*self._span(node))].decode()

    def _replace(self, kind: str, node: ast.AST, new: str) -> Change:
        return kind, *self._span(node), new

    def _swap(self, kind: str, op: ast.AST, left: ast.AST, right: ast.AST) -> Iterator[Change]:
        pattern, new = _SWAPS[type(op)]
        start, end = self._span(left)[1], self._span(right)[0]
        if found := re.search(pattern.encode(), self._bytes[start:end]):
            yield kind, start + found.start(), start + found.end(), new

    def _drop(self, kind: str, node: ast.AST) -> Change:
        start, end = self._span(node)
        if after := re.match(rb"\s*,[ \t]*", self._bytes[end:]):
            return kind, start, end + after.end(), ""
        before = re.search(rb",\s*$", self._bytes[:start])
        return kind, before.start() if before else start, end, ""


def _statements_in(
    body: Iterable[ast.stmt], names: tuple[str, ...], is_in_function: bool
) -> Iterator[tuple[ast.stmt, tuple[str, ...], bool]]:
    for node in body:
        match node:
            case ast.ClassDef(name=name, bases=bases, body=inner):
                if not any("Protocol" in ast.unparse(base) for base in bases):
                    yield from _statements_in(inner, (*names, name), False)
            case ast.FunctionDef(name=name, body=inner) | ast.AsyncFunctionDef(name=name, body=inner):
                marks = " ".join(map(ast.unparse, node.decorator_list))
                if name != "__repr__" and not re.search("overload|abstractmethod", marks):
                    yield from _statements_in(inner, (*names, name), True)
            case ast.If(test=test) if re.search("TYPE_CHECKING|__name__", ast.unparse(test)):
                pass
            case _ if isinstance(node, _NO_CODE) or not (is_in_function or _made_by(node)):
                pass
            case _:
                yield node, names, is_in_function
                for block in (one for field in _BLOCKS for one in getattr(node, field, ())):
                    inner = [block] if isinstance(block, ast.stmt) else block.body
                    yield from _statements_in(inner, names, is_in_function)


def _made_by(node: ast.stmt) -> list[str]:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    return [one.id for one in targets if isinstance(one, ast.Name)]


def _parts_of(node: ast.AST) -> Iterator[ast.AST]:
    for field, value in ast.iter_fields(node):
        for child in value if isinstance(value, list) else [value]:
            is_part = isinstance(child, ast.AST) and field not in _UNBROKEN
            if is_part and not isinstance(child, ast.stmt | ast.ExceptHandler | ast.match_case | ast.JoinedStr):
                yield child
                yield from _parts_of(child)


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= 70 else f"{text[:67]}..."


def sources_in(root: Path) -> list[Source]:
    """Return the files of `router/` in a checkout."""
    return [Source(root, path) for path in sorted((root / "router").rglob("*.py"))]


def choose(sources: Iterable[Source], seed: int, count: int, only: str) -> list[Break]:
    """Draw breaks of so many statements in files whose path begins with `only`: where trees share statements, the same ones."""

    def drawn(*words: object) -> bytes:
        return hashlib.sha256("|".join(map(str, (seed, *words))).encode()).digest()

    statements = [(source, one) for source in sources if source.file.startswith(only) for one in source.statements]
    statements.sort(key=lambda pair: drawn(_stem(pair[1]), pair[1].function, pair[1].text, pair[1].nth))
    found: list[Break] = []
    for source, statement in statements:
        if len(found) == count:
            break
        if breaks := list(source.breaks_of(statement)):
            kinds = {one.kind for one in breaks}
            kind = min(kinds - _COARSE or kinds, key=lambda kind: drawn(kind, statement.text))
            found.append(
                min((one for one in breaks if one.kind == kind), key=lambda one: drawn(one.nth, statement.text))
            )
    return found


def find_counterpart(one: Break, sources: Iterable[Source]) -> Break | None:
    """Return the same kind of break in the most similar statement of the same function; None where there is no such statement.

    Where several files have a function of that name, the same path wins, then the same file name, then the same text.
    """
    was = one.statement
    same = [(source, now) for source in sources for now in source.statements if now.function == was.function]
    is_alone = len({source.file for source, _ in same}) == 1
    near = []
    for source, now in same:
        likeness = difflib.SequenceMatcher(None, now.text, was.text).ratio()
        has_name = _stem(now) == _stem(was)
        if likeness == 1 or (likeness >= _ALIKE and (has_name or is_alone)):
            near.append(((now.file == was.file, has_name, likeness, now.nth == was.nth), source, now))
    for _, source, now in sorted(near, key=lambda place: place[0], reverse=True):
        if breaks := [found for found in source.breaks_of(now) if found.kind == one.kind]:
            return max(breaks, key=lambda found: (found.change == one.change, found.nth == one.nth))
    return None


def _stem(statement: Statement) -> str:
    return Path(statement.file).stem


def users_of(sources: Iterable[Source]) -> Mapping[str, set[tuple[str, int]]]:
    """Return the files and lines in functions that use each name, also by way of names that are assigned from it."""
    users: dict[str, set[tuple[str, int]]] = defaultdict(set)
    makes: dict[str, set[str]] = defaultdict(set)
    for statement in (one for source in sources for one in source.statements):
        uses = {(statement.file, line) for line in statement.lines}
        for part in _parts_of(statement.node):
            if name := getattr(part, "id", "") or getattr(part, "attr", ""):
                if statement.is_in_function:
                    users[name] |= uses
                else:
                    makes[name].update(statement.function.split("."))
    closed: dict[str, set[tuple[str, int]]] = {}
    for name in {*users, *makes}:
        reached, new = {name}, {name}
        while new := {more for one in new for more in makes.get(one, ())} - reached:
            reached |= new
        closed[name] = {use for one in reached for use in users.get(one, ())}
    return closed
