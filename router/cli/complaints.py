"""Lines on standard error: printable text only, whatever a file is called and whatever a vendor answered."""

from __future__ import annotations

import re
import sys

from router.domain.legible import inert, one_line

_PASSWORD = re.compile(r"\b(postgres(?:ql)?://[^\s:/@]*):\S+@", re.IGNORECASE)
"""The password in the address of a database, whichever argument it was written as."""


def complain(line: str) -> None:
    """Writes one line to standard error, without a password that an address in it has."""
    sys.stderr.write(inert(one_line(_PASSWORD.sub(r"\1:...@", line))) + "\n")
