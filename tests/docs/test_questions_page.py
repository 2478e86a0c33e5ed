"""docs/questions.md answers each question with one command, and shows what that prints."""

from __future__ import annotations

import re
import shlex
import subprocess
import time
from pathlib import Path

import pytest

from tests.cli.house import House
from tests.docs.pages import ROOT, page

PAGE = page("docs/questions.md")
_ELSEWHERE = re.compile(r"(?<=^rules     )[0-9a-f]+|(?<=silence[ :])[0-9a-f]{6}\b", re.MULTILINE)
"""What is another one each time: the rulebook's hash with every change to the starter's rules, and the id of a silence."""


def test_each_question_is_answered_by_one_command_as_the_page_shows_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Typed in their order, in a directory that `init` wrote beside the samples."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    house = House(tmp_path, capsys)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "alert_router_demo").symlink_to(ROOT / "alert_router_demo")
    for fence in PAGE.fences:
        if fence.language == "sh":
            for line in fence.text.splitlines():
                _type(house, line, monkeypatch)
        else:
            command, _, shown = fence.text.removeprefix("$ ").partition("\n")
            said = house.says(*shlex.split(command)[1:])
            printed, shown = (_ELSEWHERE.sub("", text) for text in (said.out, shown))
            assert (said.code, printed) == (0, shown), command
    assert len([fence for fence in PAGE.fences if fence.language == "text"]) == 9


def _type(house: House, line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    match shlex.split(line):
        case ["cd", directory]:
            monkeypatch.chdir(directory)
        case ["alert-router", *arguments]:
            assert house.says(*arguments).code == 0, line
        case words:
            subprocess.run(words, check=True)
