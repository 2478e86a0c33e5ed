"""The entities of a signal: hosts, accounts, processes, pods, as one graph.

Defender writes them in Newtonsoft's reference form: an object carries a `$id`, and `{"$ref": "5"}` stands for it
anywhere else, also as a bare element of the list. Entities nested in others count like listed ones. References may
dangle and may form cycles; both are legal and neither is an error.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence


def normalised_type(name: str) -> str:
    """An entity type as rules and messages agree to write it: `azure-resource` and `azureresource` are one."""
    return name.replace("-", "").replace("_", "").lower()


class Entity:
    """One entity: its type and its properties, whose names are read whatever their case."""

    __slots__ = ("_graph", "_properties", "type")

    def __init__(self, properties: Mapping[str, object], graph: Entities) -> None:
        self._properties = {key.lower(): value for key, value in properties.items()}
        self._graph = graph
        type = self._properties.get("type")
        self.type = normalised_type(type) if isinstance(type, str) else ""

    def get(self, name: str) -> object:
        """The property of that name as it arrived, or None."""
        return self._properties.get(name.lower())

    def text(self, name: str) -> str | None:
        """The property as text, or None where it is missing, empty or no scalar."""
        value = self._properties.get(name.lower())
        if isinstance(value, str):
            return value or None
        return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else None

    def find(self, name: str) -> Entity | None:
        """The entity that a property holds or refers to, or None."""
        return self._graph.entity_in(self._properties.get(name.lower()))

    def find_all(self, name: str) -> list[Entity]:
        """The entities that a list property holds or refers to; those that dangle are left out."""
        value = self._properties.get(name.lower())
        values = value if isinstance(value, list) else [value]
        return [entity for entity in map(self._graph.entity_in, values) if entity is not None]

    def __repr__(self) -> str:
        return f"Entity({self.type!r})"


class Entities:
    """All entities of one signal, listed and nested, each once, in the order in which they are met.

    Most signals are decided without anybody looking at their entities, so the graph is drawn on first use. Where a
    `$id` is used twice, the first object that bears it is meant.
    """

    __slots__ = ("_by_type", "_entities", "_objects", "_raw")

    def __init__(self, raw: Sequence[object]) -> None:
        self._raw = raw
        self._objects: dict[str, Mapping[str, object]] | None = None
        self._entities: dict[int, Entity] = {}
        self._by_type: dict[str, list[Entity]] = {}

    def __iter__(self) -> Iterator[Entity]:
        self._draw()
        return iter(self._entities.values())

    def __bool__(self) -> bool:
        return any(True for _ in self)

    def of_type(self, type: str) -> Sequence[Entity]:
        """The entities of a normalised type; none is an empty sequence."""
        self._draw()
        return self._by_type.get(type, ())

    def entity_in(self, value: object) -> Entity | None:
        """The entity that a property's value is, or refers to; None for anything else."""
        self._draw()
        if not isinstance(value, dict):
            return None
        referred = value.get("$ref")
        if isinstance(referred, str) and self._objects is not None:
            value = self._objects.get(referred, value)
        return self._entities.get(id(value))

    def _draw(self) -> None:
        if self._objects is not None:
            return
        self._objects = {}
        # A stack instead of recursion: hostile nesting is as deep as the parser allows.
        waiting: list[object] = list(reversed(self._raw))
        while waiting:
            value = waiting.pop()
            if isinstance(value, dict):
                self._meet(value, self._objects)
                waiting.extend(reversed(value.values()))
            elif isinstance(value, list):
                waiting.extend(reversed(value))

    def _meet(self, value: dict[str, object], objects: dict[str, Mapping[str, object]]) -> None:
        identity = value.get("$id")
        if isinstance(identity, str):
            objects.setdefault(identity, value)
        entity = Entity(value, self)
        if entity.type:
            self._entities[id(value)] = entity
            self._by_type.setdefault(entity.type, []).append(entity)
