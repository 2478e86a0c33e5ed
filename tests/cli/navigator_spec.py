"""The layer format of the ATT&CK Navigator as its specification has it, to hold our layers to.

https://github.com/mitre-attack/attack-navigator/blob/master/layers/spec/v4.5/layerformat.md
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from jsonschema import Draft202012Validator

_TEXT: dict[str, object] = {"type": "string"}
_FLAG: dict[str, object] = {"type": "boolean"}
_NUMBER: dict[str, object] = {"type": "number"}
_COLOR: dict[str, object] = {"type": "string", "pattern": "^#[0-9a-fA-F]{6}([0-9a-fA-F]{2})?$"}


def _object(required: tuple[str, ...] = (), **properties: object) -> dict[str, object]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": False,
    }


def _list(items: object, **more: object) -> dict[str, object]:
    return {"type": "array", "items": items, **more}


_DIVIDER = _object(("divider",), divider=_FLAG)
_METADATA = _list({"anyOf": [_object(("name", "value"), name=_TEXT, value=_TEXT), _DIVIDER]})
_ADDRESS = {"type": "string", "pattern": "^[a-z][a-z0-9+.-]*://."}
_LINKS = _list({"anyOf": [_object(("label", "url"), label=_TEXT, url=_ADDRESS), _DIVIDER]})

LAYER = _object(
    ("name", "domain"),
    name=_TEXT,
    domain={"enum": ["enterprise-attack", "mobile-attack", "ics-attack"]},
    description=_TEXT,
    customDataURL=_TEXT,
    versions=_object(
        ("navigator", "layer"),
        attack={"type": "string", "pattern": r"^[0-9]+$"},
        navigator={"type": "string", "pattern": r"^(4\.9|4\.[1-9][0-9]|[5-9]\.[0-9]+)\.[0-9]+$"},
        layer={"const": "4.5"},
    ),
    filters=_object(platforms=_list(_TEXT)),
    sorting={"enum": [0, 1, 2, 3]},
    layout=_object(
        layout={"enum": ["side", "flat", "mini"]},
        showID=_FLAG,
        showName=_FLAG,
        showAggregateScores=_FLAG,
        countUnscored=_FLAG,
        aggregateFunction={"enum": ["average", "min", "max", "sum"]},
        expandedSubtechniques={"enum": ["none", "all", "annotated"]},
    ),
    hideDisabled=_FLAG,
    techniques=_list(
        _object(
            ("techniqueID",),
            techniqueID={"type": "string", "pattern": r"^T[0-9]{4}(\.[0-9]{3})?$"},
            tactic={"type": "string", "pattern": "^[a-z]+(-[a-z]+)*$"},
            comment=_TEXT,
            enabled=_FLAG,
            score=_NUMBER,
            color=_COLOR,
            metadata=_METADATA,
            links=_LINKS,
            showSubtechniques=_FLAG,
        )
    ),
    gradient=_object(
        ("colors", "minValue", "maxValue"), colors=_list(_COLOR, minItems=2), minValue=_NUMBER, maxValue=_NUMBER
    ),
    legendItems=_list(_object(("label", "color"), label=_TEXT, color=_COLOR)),
    showTacticRowBackground=_FLAG,
    tacticRowBackground=_COLOR,
    selectTechniquesAcrossTactics=_FLAG,
    selectSubtechniquesWithParent=_FLAG,
    selectVisibleTechniques=_FLAG,
    metadata=_METADATA,
    links=_LINKS,
)
"""A layer of format 4.5 as a JSON Schema, its property tables one by one."""

_VALIDATOR = Draft202012Validator(LAYER)


def faults_of(layer: Any) -> list[str]:
    """What a layer has that the specification does not allow."""
    return [*(fault.message for fault in _VALIDATOR.iter_errors(layer)), *_between_values(layer)]


def _between_values(layer: Any) -> Iterator[str]:
    """What no schema says: one value against another."""
    gradient = layer.get("gradient")
    if gradient is not None and not gradient["maxValue"] > gradient["minValue"]:
        yield "maxValue must be > minValue"
    cells = [(one.get("techniqueID"), one.get("tactic")) for one in layer.get("techniques", ())]
    if len(cells) > len(set(cells)):
        yield "a technique is annotated twice"
