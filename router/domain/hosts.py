"""Hosts that are nobody's."""

from __future__ import annotations

EXAMPLE = "example"
"""The top-level domain in which nobody has a name: https://www.rfc-editor.org/rfc/rfc2606#section-2"""


def is_example(host: str) -> bool:
    """Whether a host ends in `.example`, so that it stands for one that is yet to be named; such a host is never asked."""
    return host.rstrip(".").lower().rpartition(".")[2] == EXAMPLE


def never_asked(host: str) -> str:
    """What is said of such a host."""
    return f"{host}: ends in .example, which is nobody's and never asked; name your own host in the rules"
