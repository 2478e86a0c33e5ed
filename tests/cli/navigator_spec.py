"""The layer format of the ATT&CK Navigator as its specification has it, to hold our layers to.

https://github.com/mitre-attack/attack-navigator/blob/master/layers/spec/v4.5/layerformat.md
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

_SCHEMA = Path(__file__).parent / "golden" / "navigator_layer_4.5.schema.json"
_VALIDATOR = Draft202012Validator(json.loads(_SCHEMA.read_text()))
"""Of a layer of format 4.5, its property tables one by one."""


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
