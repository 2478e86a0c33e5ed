"""Layers of the ATT&CK Navigator, format 4.5: what to say of techniques, and of a layer as a whole.

A layer says something of techniques only, so what there is to say of tactics stands in its metadata. `tactic` is left out of
every technique: the short names of tactics change between versions, and a technique is meant wherever it stands.

https://github.com/mitre-attack/attack-navigator/blob/master/layers/spec/v4.5/layerformat.md
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from router.domain.legible import legible, one_line

_LAYER = "4.5"
_NAVIGATOR = "5.0.0"
_DOMAIN = "enterprise-attack"
_BY_SCORE = 3
"""How techniques are sorted: the highest score first."""

_MAJOR = re.compile(r"\d+", re.ASCII)

type Metadata = Sequence[tuple[str, str]]
"""Names and values."""


class Painted(NamedTuple):
    """What a layer says of one technique.

    Attributes:
        id: the technique.
        score: its score.
        comment: what to know of it.
        color: its colour, as #rrggbb; None for that of its score.
        metadata: what else is known of it.
    """

    id: str
    score: int
    comment: str
    color: str | None = None
    metadata: Metadata = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """A layer: a tab of the Navigator.

    Attributes:
        name: its name.
        description: what it shows.
        techniques: what it says of techniques.
        colors: the colours of the lowest and of the highest score, as #rrggbb.
        legend: what colours mean, by the colour.
        metadata: what it says of itself.
    """

    name: str
    description: str
    techniques: Sequence[Painted]
    colors: tuple[str, str]
    legend: Sequence[tuple[str, str]]
    metadata: Metadata


def layers_of(layers: Sequence[Layer], attack_version: str) -> list[dict[str, object]]:
    """A file of layers, as JSON has it; each of them is a tab."""
    return [_layer(layer, attack_version) for layer in layers]


def _layer(layer: Layer, attack_version: str) -> dict[str, object]:
    # Nothing is painted where the least and the most are the same.
    most = max([1, *(one.score for one in layer.techniques)])
    return {
        "name": one_line(layer.name),
        "versions": _versions(attack_version),
        "domain": _DOMAIN,
        "description": legible(layer.description),
        "sorting": _BY_SCORE,
        "layout": {
            "layout": "side",
            "showID": True,
            "showName": True,
            "showAggregateScores": False,
            "countUnscored": False,
            "aggregateFunction": "max",
            "expandedSubtechniques": "annotated",
        },
        "hideDisabled": False,
        "techniques": [_technique(one) for one in layer.techniques],
        "gradient": {"colors": list(layer.colors), "minValue": 0, "maxValue": most},
        "legendItems": [{"label": one_line(label), "color": color} for color, label in layer.legend],
        "metadata": _metadata(layer.metadata),
    }


def _versions(attack: str) -> dict[str, str]:
    """The Navigator knows ATT&CK by its major version; without one it takes the newest that it has."""
    major = _MAJOR.match(attack)
    known = {"attack": major[0]} if major else {}
    return {**known, "navigator": _NAVIGATOR, "layer": _LAYER}


def _technique(one: Painted) -> dict[str, object]:
    painted: dict[str, object] = {"techniqueID": one.id, "score": one.score, "comment": legible(one.comment)}
    if one.color is not None:
        painted["color"] = one.color
    if one.metadata:
        painted["metadata"] = _metadata(one.metadata)
    return painted


def _metadata(items: Metadata) -> list[dict[str, str]]:
    return [{"name": one_line(name), "value": one_line(value)} for name, value in items]
