"""How an object that the router wrote says so, and what it is, wherever the gate finds it: in a state or in a file. Pure."""

from __future__ import annotations

KEY = "alertRouter"
"""The key under which one of these stands."""

SOURCE = "source"
"""When a source was last heard of."""

WATCH = "watch"
"""From when on the silence of sources counts."""

DRILL = "drill"
"""What came of a drill."""

TAGS = "tags"
"""The tags of a resource."""
