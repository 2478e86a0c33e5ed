"""The entities of a signal: hosts, accounts, processes, pods, as one graph.

Defender writes them in Newtonsoft's reference form: an object carries a `$id`, and `{"$ref": "5"}` stands for it
anywhere else, also as a bare element of the list. Entities nested in others count like listed ones. References may
dangle and may form cycles; both are legal and neither is an error.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Set

from router.domain.readable import remembered


@remembered
def normalised_type(name: str) -> str:
    """An entity type as rules and messages agree to write it: `azure-resource` and `azureresource` are one."""
    return name.replace("-", "").replace("_", "").lower()


class Entity:
    """One entity: its type and its properties, whose names are read whatever their case."""

    __slots__ = ("_graph", "_lowered", "_raw", "type")

    def __init__(self, type: str, properties: Mapping[str, object], graph: Entities) -> None:
        self.type = type
        self._raw = properties
        self._lowered: dict[str, object] | None = None
        self._graph = graph

    def get(self, name: str) -> object:
        """The property of that name as it arrived, or None."""
        if (value := self._raw.get(name)) is not None:
            return value
        if self._lowered is None:
            self._lowered = {key.lower(): value for key, value in self._raw.items()}
        return self._lowered.get(name.lower())

    def get_all(self, names: Set[str]) -> dict[str, object]:
        """What `get` gives for each of some names in lower case, in one go, without what is not there."""
        found: dict[str, object] = {}
        for key, value in self._raw.items():
            if (name := key.lower()) in names:
                if name in found:
                    return {name: value for name in names if (value := self.get(name)) is not None}
                found[name] = value
        return found

    def text(self, name: str) -> str | None:
        """The property as text, or None where it is missing, empty or no scalar."""
        value = self.get(name)
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
        return isinstance(other, Entity) and self._raw is other._raw

    def __hash__(self) -> int:
        return id(self._raw)

    def __repr__(self) -> str:
        return f"Entity({self.type!r})"


class Entities:
    """All entities of one signal, listed and nested, each once, in the order in which they are met.

    Most signals are decided without a look at their entities, so the graph is drawn on first use, and an Entity
    is made when it is asked for. Where a `$id` is used twice, the first object that bears it is meant.
    """

    __slots__ = ("_bearers", "_met", "_objects", "_raw")

    def __init__(self, raw: Iterable[object]) -> None:
        self._raw = list(raw)
        self._objects: list[_Object] = []
        self._met: list[tuple[str, _Object]] | None = None
        self._bearers: dict[str, _Object] | None = None

    def __iter__(self) -> Iterator[Entity]:
        return (Entity(type, value, self) for type, value in self._typed())

    def __bool__(self) -> bool:
        return bool(self._typed())

    def of_type(self, *types: str) -> list[Entity]:
        """The entities of some normalised types, in the order in which they are met."""
        return [Entity(type, value, self) for type, value in self._typed() if type in types]

    def entity_in(self, value: object) -> Entity | None:
        """The entity that a property's value is, or refers to; None for anything else."""
        if not isinstance(value, dict):
            return None
        referred = value.get("$ref")
        if isinstance(referred, str):
            value = self._by_reference().get(referred, value)
        type = _type_of(value)
        return Entity(type, value, self) if type else None

    def _typed(self) -> list[tuple[str, _Object]]:
        if self._met is None:
            self._objects = _objects_in(self._raw)
            self._met = [(type, value) for value in self._objects if (type := _type_of(value))]
        return self._met

    def _by_reference(self) -> dict[str, _Object]:
        if self._bearers is None:
            self._typed()
            # The last one to be set stays, and the first one that bears an id is meant.
            marked = [(value.get("$id"), value) for value in reversed(self._objects)]
            self._bearers = {identity: value for identity, value in marked if isinstance(identity, str)}
        return self._bearers


type _Object = dict[str, object]

_NESTING = frozenset({dict, list})


def _objects_in(raw: list[object]) -> list[_Object]:
    """Every object that is more than a reference, listed and nested, in the order of reading."""
    # A stack instead of recursion: hostile nesting is as deep as the parser allows. This is the hottest loop there is.
    met: list[_Object] = []
    waiting = raw[::-1]
    while waiting:
        value = waiting.pop()
        if type(value) is dict:
            if len(value) == 1 and type(value.get("$ref")) is str:
                continue
            met.append(value)
            for inner in reversed(value.values()):
                if type(inner) in _NESTING:
                    waiting.append(inner)
        elif type(value) is list:
            waiting += reversed(value)
    return met


def _type_of(value: _Object) -> str:
    type = value.get("Type") or value.get("type")
    if type is None and "$ref" not in value:
        type = next((type for name, type in value.items() if name.lower() == "type"), None)
    return normalised_type(type) if isinstance(type, str) else ""
