"""What is a mail address that a mail may be sent to: ASCII, and nothing that a header could be made of."""

from __future__ import annotations

import re

_ADDRESS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`|~.-]{1,64}@[A-Za-z0-9.-]{1,253}")
_ATOMS = re.compile(r"[^.]+(?:\.[^.]+)*")


def is_mail_address(text: str) -> bool:
    """Whether a text is one mail address, without a name, and nothing else."""
    return _ADDRESS.fullmatch(text) is not None and all(map(_ATOMS.fullmatch, text.split("@")))
