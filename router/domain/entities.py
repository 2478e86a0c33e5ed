"""The entities of a signal: hosts, accounts, processes, pods, as one graph.

Defender writes them in Newtonsoft's reference form: an object carries a `$id`, and `{"$ref": "5"}` stands for it
anywhere else, also as a bare element of the list. Entities nested in others count like listed ones. References may
dangle and may form cycles; both are legal and neither is an error.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set

from router.domain.readable import lowered, remembered
from router.domain.values import Value


@remembered
def normalised_type(name: str) -> str:
    """An entity type as rules and messages agree to write it: `azure-resource` and `azureresource` are one."""
    return name.replace("-", "").replace("_", "").lower()


class Entity(Value, eq=False):
    """One entity: its type and its properties, whose names are asked for in lower case."""

    type: str
    _properties: Mapping[str, object]
    _graph: Entities

    def get(self, name: str) -> object:
        """The property of that name as it arrived, or None; where it has several spellings, the last one counts."""
        return self._properties.get(name)

    def get_all(self, names: Set[str]) -> dict[str, object]:
        """What `get` gives for each of some names, without what is not there, in the order in which they stand there."""
        return {name: value for name, value in self._properties.items() if name in names}

    def text(self, name: str) -> str | None:
        """The property as text, or None where it is missing, empty or no scalar."""
        value = self._properties.get(name)
        if isinstance(value, str):
            return value or None
        return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else None

    def find(self, name: str) -> Entity | None:
        """The entity that a property holds or refers to, or None."""
        return self._graph.entity_in(self.get(name))

    def find_all(self, name: str) -> list[Entity]:
        """The entities that a list property holds or refers to; those that dangle are left out."""
        value = self.get(name)
        values = value if isinstance(value, list) else [value]
        return [entity for entity in map(self._graph.entity_in, values) if entity is not None]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Entity) and self._properties is other._properties

    def __hash__(self) -> int:
        return id(self._properties)

    def __repr__(self) -> str:
        return f"Entity({self.type!r})"


class Entities:
    """All entities of one signal, listed and nested, each once, in the order in which they are met.

    Most signals are decided without a look at their entities, so the graph is drawn on first use, and an Entity
    is made when it is asked for. Where a `$id` is used twice, the first object that bears it is meant.
    """

    __slots__ = ("_bearers", "_lowered", "_met", "_raw")

    def __init__(self, raw: Sequence[object]) -> None:
        self._raw = raw
        self._met: list[tuple[str, _Object]] | None = None
        self._bearers: dict[str, _Object] | None = None
        self._lowered: dict[int, dict[str, object]] = {}

    def __iter__(self) -> Iterator[Entity]:
        return (self._entity(type, value) for type, value in self._drawn() if type)

    def __bool__(self) -> bool:
        return any(type for type, _ in self._drawn())

    def of_type(self, *types: str) -> list[Entity]:
        """The entities of some normalised types, in the order in which they are met."""
        return [self._entity(type, value) for type, value in self._drawn() if type in types]

    def entity_in(self, value: object) -> Entity | None:
        """The entity that a property's value is, or refers to; None for anything else."""
        if not isinstance(value, dict):
            return None
        referred = value.get("$ref")
        if isinstance(referred, str):
            value = self._by_reference().get(referred, value)
        type = _type_of(value)
        return self._entity(type, value) if type else None

    def _entity(self, type: str, value: _Object) -> Entity:
        # Rules, evidence and location ask the same objects one after the other: each is lowered once, by its address.
        if (properties := self._lowered.get(id(value))) is None:
            properties = {lowered(name): held for name, held in value.items() if held is not None}
            self._lowered[id(value)] = properties
        return Entity(type, properties, self)

    def _drawn(self) -> list[tuple[str, _Object]]:
        if self._met is None:
            self._met = _objects_in(self._raw)
        return self._met

    def _by_reference(self) -> dict[str, _Object]:
        if self._bearers is None:
            # The last one to be set stays, and the first one that bears an id is meant.
            marked = [(value.get("$id"), value) for _, value in reversed(self._drawn())]
            self._bearers = {identity: value for identity, value in marked if isinstance(identity, str)}
        return self._bearers


type _Object = dict[str, object]

_NESTING = frozenset({dict, list})


def _objects_in(raw: Sequence[object]) -> list[tuple[str, _Object]]:
    """Every object that is more than a reference, listed and nested, in the order of reading, and its type, if it has one."""
    # A stack instead of recursion: hostile nesting is as deep as the parser allows. This is the hottest loop there is.
    met: list[tuple[str, _Object]] = []
    waiting = list(reversed(raw))
    while waiting:
        value = waiting.pop()
        if type(value) is dict:
            if "$ref" in value and len(value) == 1 and type(value["$ref"]) is str:
                continue
            name = value.get("Type")
            met.append((normalised_type(name) if name and type(name) is str else _type_of(value), value))
            for inner in reversed(value.values()):
                if type(inner) is not str and type(inner) in _NESTING:
                    waiting.append(inner)  # noqa: PERF401  Most hold none, and a list of none costs more than the question.
        elif type(value) is list:
            waiting += reversed(value)
    return met


def _type_of(value: _Object) -> str:
    """The normalised type of an object; empty where it has none."""
    name = value.get("Type") or value.get("type")
    if name is None and "$ref" not in value:
        name = next((held for key, held in value.items() if lowered(key) == "type"), None)
    return normalised_type(name) if isinstance(name, str) else ""
