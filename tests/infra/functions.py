"""The functions of function_app.py, as Microsoft's library declares them to the host."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from azure.functions.decorators.function_app import Function

import function_app


@cache
def wake_ups() -> frozenset[str]:
    """The queues that functions put wake-ups into by their outputs."""
    bindings = [found.get_dict_repr() for one in _functions() for found in one.get_bindings()]
    return frozenset(one["queueName"] for one in bindings if one["type"] == "queue")


@cache
def triggers() -> Mapping[str, dict[str, Any]]:
    """What calls each function, by its name."""
    functions = _functions()
    return {str(one.get_function_name()): found.get_dict_repr() for one in functions if (found := one.get_trigger())}


@cache
def _functions() -> list[Function]:
    """The library tells them once."""
    return function_app.app.get_functions()
