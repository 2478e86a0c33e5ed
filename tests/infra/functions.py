"""The functions of function_app.py, as Microsoft's library declares them to the host."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import function_app


@cache
def triggers() -> Mapping[str, dict[str, Any]]:
    """What calls each function, by its name. The library tells it once."""
    functions = function_app.app.get_functions()
    return {str(one.get_function_name()): found.get_dict_repr() for one in functions if (found := one.get_trigger())}
