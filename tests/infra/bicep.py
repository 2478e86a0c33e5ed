"""A Bicep file as it stands: what it declares, and which of its names lead nowhere. tests/infra/deployment.py evaluates it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import tree_sitter_bicep
from tree_sitter import Language, Node, Parser

PARSER = Parser(Language(tree_sitter_bicep.language()))

_DECLARATIONS = {
    "parameter_declaration": "param",
    "variable_declaration": "var",
    "resource_declaration": "resource",
    "module_declaration": "module",
    "output_declaration": "output",
}


@dataclass(frozen=True, slots=True)
class Declaration:
    """A param, var, resource, module or output, by its name."""

    what: str
    name: str
    node: Node

    @property
    def value(self) -> Node | None:
        """What stands behind the equals sign; of a param its default, or None."""
        last = self.node.named_children[-1]
        return None if last.type == "type" else last

    @property
    def reference(self) -> str:
        """The type of a resource, or the file of a module."""
        written = next(child for child in self.node.named_children if child.type == "string")
        return text(written).strip("'")

    @property
    def is_existing(self) -> bool:
        """Whether it is only looked up."""
        return any(child.type == "existing" for child in self.node.children)


@dataclass(frozen=True, slots=True)
class BicepFile:
    """A file by what it declares."""

    path: Path
    root: Node
    declarations: Mapping[str, Declaration]

    def of(self, what: str) -> dict[str, Declaration]:
        """What it declares of one sort."""
        return {key: found for key, found in self.declarations.items() if found.what == what}

    def undeclared(self) -> set[str]:
        """Names that stand for nothing: a compiler would refuse them."""
        return self._used() - self.declarations.keys()

    def unused(self) -> set[str]:
        """Params and vars that nobody asks for."""
        return {key for key, found in self.declarations.items() if found.what in ("param", "var")} - self._used()

    def _used(self) -> set[str]:
        return set(_free_names(self.root, frozenset()))


@cache
def read(path: Path) -> BicepFile:
    """A Bicep file; its syntax is taken to be sound."""
    root = PARSER.parse(path.read_bytes()).root_node
    assert not root.has_error, f"{path}: syntax error"
    found = [
        Declaration(what, text(next(child for child in node.named_children if child.type == "identifier")), node)
        for node in root.named_children
        if (what := _DECLARATIONS.get(node.type))
    ]
    # An output may bear the name of what it gives away; nothing refers to an output within its file.
    return BicepFile(path, root, {_key(one): one for one in found})


def _key(one: Declaration) -> str:
    return f"output {one.name}" if one.what == "output" else one.name


def text(node: Node) -> str:
    """What stands there."""
    return (node.text or b"").decode()


def loop_of(node: Node) -> tuple[str, str | None, Node, Node]:
    """A loop's variable and counter, what it goes over, and what it makes of each."""
    over, body = node.named_children[-2:]
    names = node.named_children[0]
    if names.type == "for_loop_parameters":
        one, at = names.named_children
        return text(one), text(at), over, body
    return text(names), None, over, body


def _free_names(node: Node, bound: frozenset[str]) -> Iterator[str]:
    """Every name under a node that refers to something, but for those of loops."""
    if node.type == "decorators":
        return
    if node.type == "for_statement":
        one, at, over, body = loop_of(node)
        yield from _free_names(over, bound)
        yield from _free_names(body, bound | {one} | ({at} if at else set()))
        return
    children = node.named_children
    if node.type in _DECLARATIONS or node.type in ("object_property", "call_expression"):
        children = children[1:]  # the name that it gives, or that of a function
    if node.type == "identifier" and text(node) not in bound:
        yield text(node)
    for child in children:
        yield from _free_names(child, bound)
