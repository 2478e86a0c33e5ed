"""Where secrets come from."""

from __future__ import annotations

import pytest

from router.domain.errors import MissingSecret
from router.settings import Settings


def test_a_secret_is_read_without_the_line_end_that_it_was_stored_with() -> None:
    """`echo` puts a line end into a vault, and no header may hold one."""
    assert Settings({"KEY": " value\n"}).secrets(["KEY"]) == {"KEY": "value"}


@pytest.mark.parametrize("value", [{}, {"ONE": ""}, {"ONE": " \n"}])
def test_every_missing_secret_is_named_at_once(value: dict[str, str]) -> None:
    """Blank is missing, too."""
    with pytest.raises(MissingSecret, match=r"^ONE, TWO: the rules name these secrets; give them as app settings"):
        Settings(value | {"THREE": "x"}).secrets(["TWO", "ONE", "THREE"])


def test_settings_never_show_their_values() -> None:
    """A repr may end in a log."""
    assert "canary" not in repr(Settings({"KEY": "canary"}))
