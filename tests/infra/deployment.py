"""What a Bicep file would deploy with some parameters: every resource with its name and body, modules and loops unfolded.

It evaluates the expressions that infra/ is written in, as the Bicep compiler and Resource Manager do. What only Azure knows (an
address, an immutable id) stands as `<...>`. Whatever a compiler would refuse of names, parameters and outputs is an error.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tree_sitter import Node

from tests.infra.bicep import BicepFile, Declaration, loop_of, read, text
from tests.infra.calls import CALLS, SIGNS, Unknown

type Value = Any
type Names = Mapping[str, Value]


class BicepFault(Exception):
    """Something that a compiler would refuse."""


@dataclass(frozen=True, slots=True)
class Resource:
    """A resource as it would be deployed: its name with those of its parents, its resource group, and on what it stands."""

    kind: str
    name: str
    body: Mapping[str, Value]
    file: str
    group: str
    scope: str | None = None
    existing: bool = False

    @property
    def id(self) -> str:
        """What stands for its id in a test."""
        return f"/{self.kind}/{self.name}"

    @property
    def properties(self) -> Mapping[str, Value]:
        """Its properties."""
        found: Mapping[str, Value] = self.body.get("properties") or {}
        return found


@dataclass(slots=True)
class Deployment:
    """All that a file would deploy, and its outputs."""

    resources: list[Resource] = field(default_factory=list)
    outputs: dict[str, Value] = field(default_factory=dict)

    def of(self, kind: str) -> list[Resource]:
        """The resources of a type that are made, not only looked up."""
        return [one for one in self.resources if one.kind == kind and not one.existing]

    def one(self, kind: str) -> Resource:
        """The only resource of a type."""
        (found,) = self.of(kind)
        return found

    def unknown(self, kind: str, name: str) -> str:
        """What stands for a property of the only resource of a type that only Azure knows."""
        return str(Unknown(f"{kind}/{self.one(kind).name}.properties.{name}"))


def deploy(path: Path, given: Names, group: str = "") -> Deployment:
    """What a file would deploy into a resource group; raises BicepFault."""
    file = read(path)
    params = file.of("param")
    if extra := given.keys() - params.keys():
        raise BicepFault(f"{path.name}: has no parameter {sorted(extra)}")
    if missing := {name for name, one in params.items() if one.value is None} - given.keys():
        raise BicepFault(f"{path.name}: is not given {sorted(missing)}")
    return _Evaluation(file, given, group).deployment()


class _Evaluation:
    def __init__(self, file: BicepFile, given: Names, group: str) -> None:
        self._file = file
        self._group = group
        self._known: dict[str, Value] = dict(given)
        self._made: list[Resource] = []

    def deployment(self) -> Deployment:
        for name, one in self._file.declarations.items():
            if one.what != "output":
                self._named(name)
        outputs = {one.name: self._value(one.value, {}) for one in self._file.of("output").values()}
        return Deployment(self._made, outputs)

    def _named(self, name: str) -> Value:
        if name not in self._known:
            one = self._file.declarations.get(name)
            if one is None:
                raise BicepFault(f"{self._file.path.name}: {name} stands for nothing")
            self._known[name] = self._declared(one)
        return self._known[name]

    def _declared(self, one: Declaration) -> Value:
        make = {"resource": self._resource, "module": self._module}.get(one.what)
        if make is None:
            return self._value(one.value, {})
        made = list(self._unfolded(one.value, {}, lambda node, names: make(one, node, names)))
        return made if one.value is not None and one.value.type == "for_statement" else next(iter(made), None)

    def _unfolded(self, node: Node | None, names: Names, make: Callable[[Node, Names], Value]) -> Iterator[Value]:
        """What is made of a body, for each turn of its loop, where its condition holds."""
        assert node is not None
        if node.type == "for_statement":
            one, at, over, body = loop_of(node)
            for count, item in enumerate(self._value(over, names)):
                yield from self._unfolded(body, {**names, one: item} | ({at: count} if at else {}), make)
        elif node.type == "if_statement":
            condition, body = node.named_children
            if self._value(condition, names):
                yield from self._unfolded(body, names, make)
        else:
            yield make(node, names)

    def _resource(self, one: Declaration, node: Node, names: Names) -> Resource:
        body = self._value(node, names)
        parent, scope = body.pop("parent", None), body.pop("scope", None)
        kind = one.reference.partition("@")[0]
        name = body["name"] if parent is None else f"{parent.name}/{body['name']}"
        on = scope.id if isinstance(scope, Resource) else None
        made = Resource(kind, str(name), body, self._file.path.name, self._group, on, one.is_existing)
        self._made.append(made)
        return made

    def _module(self, one: Declaration, node: Node, names: Names) -> Deployment:
        body = self._value(node, names)
        scope = body["scope"]
        group = scope.id if isinstance(scope, Resource) else scope["id"]
        made = deploy(self._file.path.parent / one.reference, body.get("params", {}), group)
        self._made += made.resources
        return made

    def _value(self, node: Node | None, names: Names) -> Value:
        assert node is not None
        return _RULES[node.type](self, node, names)

    def _object(self, node: Node, names: Names) -> dict[str, Value]:
        pairs = [child.named_children for child in node.named_children if child.type == "object_property"]
        return {self._key(pair[0], names): self._value(pair[-1], names) for pair in pairs}

    def _key(self, node: Node, names: Names) -> str:
        return text(node) if node.type == "identifier" else str(self._value(node, names))

    def _array(self, node: Node, names: Names) -> list[Value]:
        return [self._value(child, names) for child in node.named_children if child.type != "comment"]

    def _string(self, node: Node, names: Names) -> str:
        parts = []
        for child in node.named_children:
            inner = child.named_children[0] if child.type == "interpolation" else None
            parts.append(text(child) if inner is None else str(self._value(inner, names)))
        return "".join(parts).replace("\\'", "'").replace("\\$", "$").replace("\\n", "\n")

    def _identifier(self, node: Node, names: Names) -> Value:
        return names[text(node)] if text(node) in names else self._named(text(node))

    def _access(self, node: Node, names: Names) -> Value:
        steps, base = [], node
        while base.type in ("member_expression", "subscript_expression"):
            base, step = base.named_children
            steps.append(step)
        if base.type == "ternary_expression":  # the grammar takes `a ? b : c.d` for `(a ? b : c).d`
            condition, yes, base = base.named_children
            if self._value(condition, names):
                return self._value(yes, names)
        value = self._value(base, names)
        for step in reversed(steps):
            is_name = step.type == "property_identifier"
            value = _member_of(value, text(step)) if is_name else value[self._value(step, names)]
        return value

    def _call(self, node: Node, names: Names) -> Value:
        called, arguments = node.named_children
        given = [self._value(child, names) for child in arguments.named_children]
        if text(called).startswith("load"):
            content = (self._file.path.parent / given[0]).read_text()
            return json.loads(content) if text(called) == "loadJsonContent" else content
        return CALLS[text(called)](*given)

    def _ternary(self, node: Node, names: Names) -> Value:
        condition, yes, no = node.named_children
        return self._value(yes if self._value(condition, names) else no, names)

    def _binary(self, node: Node, names: Names) -> Value:
        left, right = node.named_children
        sign = text(node.children[1])
        first = self._value(left, names)
        if sign in ("&&", "||"):
            return first if bool(first) is (sign == "||") else self._value(right, names)
        return SIGNS[sign](first, self._value(right, names))

    def _unary(self, node: Node, names: Names) -> Value:
        value = self._value(node.named_children[0], names)
        return not value if text(node).startswith("!") else -value

    def _loop(self, node: Node, names: Names) -> list[Value]:
        return list(self._unfolded(node, names, self._value))


def _member_of(whole: Value, name: str) -> Value:
    match whole:
        case Resource() if name in ("id", "name"):
            return getattr(whole, name)
        case Resource():
            return Unknown(f"{whole.kind}/{whole.name}.{name}")
        case Deployment() if name == "outputs":
            return whole.outputs
        case Unknown():
            return Unknown(f"{whole.what}.{name}")
        case dict() if name in whole:
            return whole[name]
    raise BicepFault(f"{name} is not in {whole!r}")


_RULES: Mapping[str, Callable[[_Evaluation, Node, Names], Value]] = {
    "object": _Evaluation._object,
    "array": _Evaluation._array,
    "string": _Evaluation._string,
    "multiline_string": lambda _, node, names: text(node).strip("'").lstrip("\n"),
    "identifier": _Evaluation._identifier,
    "member_expression": _Evaluation._access,
    "subscript_expression": _Evaluation._access,
    "call_expression": _Evaluation._call,
    "ternary_expression": _Evaluation._ternary,
    "binary_expression": _Evaluation._binary,
    "unary_expression": _Evaluation._unary,
    "for_statement": _Evaluation._loop,
    "parenthesized_expression": lambda self, node, names: self._value(node.named_children[0], names),
    "number": lambda _, node, names: int(text(node)),
    "boolean": lambda _, node, names: text(node) == "true",
    "null": lambda _, node, names: None,
}
