"""The functions of function_app.py, as Microsoft's library declares them to the host."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import function_app


@cache
def triggers() -> Mapping[str, dict[str, Any]]:
    """What calls each function, by its name. The library tells it once."""
    return {one.get_function_name(): one.get_trigger().get_dict_repr() for one in function_app.app.get_functions()}
