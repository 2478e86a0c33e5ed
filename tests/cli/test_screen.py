"""What commands print in tables."""

from __future__ import annotations

import pytest

from router.cli.screen import print_table, screen, table_of


def test_a_table_shows_no_credential(capsys: pytest.CaptureFixture[str]) -> None:
    """Titles and errors quote what messages say, and whoever looks over a shoulder reads them, too."""
    print_table(screen(), table_of(("title",), [("ran tool --password hUnter2Canary -v",)]))
    assert capsys.readouterr().out.split("\n")[1] == "  ran tool --password [masked] -v"
