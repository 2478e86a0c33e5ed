"""Lines on standard error: printable text only, whatever a file is called and whatever a vendor answered."""

from __future__ import annotations

import sys

from router.domain.legible import inert, one_line


def complain(line: str) -> None:
    """Writes one line to standard error."""
    sys.stderr.write(inert(one_line(line)) + "\n")
