"""Which processes an alert names, in what words, and which of them first."""

from __future__ import annotations

from typing import Any

import pytest

from router.domain.evidence import command_line_of
from router.parse import evidence_of
from tests.parse.messages import CATALOGUE, a_flat_alert, read_alert

_SHELL = {"$id": "1", "Type": "file", "Directory": "c:\\windows\\system32", "Name": "cmd.exe"}
_TOOL = {"$id": "2", "Type": "file", "Directory": "c:\\temp", "Name": "regsvr32.exe"}
_ADA = {"$id": "3", "Type": "account", "Name": "ada", "NTDomain": "SHOP"}
_PARENT = {"$id": "4", "Type": "process", "ProcessId": "0xbc8", "CommandLine": "", "ImageFile": {"$ref": "1"}}
_CHILD = {
    "$id": "5",
    "Type": "process",
    "ProcessId": "0x123c",
    "CommandLine": ".\\regsvr32 /u /s x",
    "ImageFile": {"$ref": "2"},
    "Account": {"$ref": "3"},
    "ParentProcess": {"$ref": "4"},
}
_CHILD_WORDS = "c:\\temp\\regsvr32.exe: .\\regsvr32 /u /s x (0x123c), by SHOP\\ada, child of cmd.exe"


def _processes(*entities: object, **extended: object) -> tuple[str, ...]:
    message = a_flat_alert(Entities=list(entities), ExtendedProperties=extended)
    return evidence_of(read_alert(message), CATALOGUE).processes


def test_a_process_is_told_with_its_image_its_account_and_its_parent() -> None:
    """What an alert is about stands before its parent, which is told as well."""
    assert _processes(_SHELL, _TOOL, _ADA, _PARENT, _CHILD) == (_CHILD_WORDS, "c:\\windows\\system32\\cmd.exe (0xbc8)")


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"CommandLine": "C:\\TEMP\\regsvr32.exe /u"}, "C:\\TEMP\\regsvr32.exe /u (0x123c)"),
        ({"CommandLine": None}, "c:\\temp\\regsvr32.exe (0x123c)"),
        ({"CommandLine": "x", "ImageFile": None}, "x (0x123c)"),
        ({"CommandLine": None, "ImageFile": None}, "process 0x123c"),
    ],
)
def test_a_process_says_nothing_twice(more: dict[str, object], words: str) -> None:
    """A command line that names its image stands alone, and so does what is known alone."""
    assert _processes(_TOOL, _CHILD | {"Account": None, "ParentProcess": None} | more) == (words,)


def test_what_an_alert_is_about_stands_before_its_ancestors() -> None:
    """However they are listed: the nearest parent follows, and numbers alone come last, also those of properties."""
    grandparent = {"$id": "6", "Type": "process", "CommandLine": "explorer"}
    parent = {"$id": "7", "Type": "process", "CommandLine": "bash", "ParentProcess": {"$ref": "6"}}
    near = {"$id": "8", "Type": "process", "CommandLine": "sh", "ParentProcess": {"$ref": "7"}}
    child = {"Type": "process", "CommandLine": "miner", "ParentProcess": {"$ref": "8"}}
    number = {"Type": "process", "ProcessId": "7"}
    found = _processes(number, grandparent, parent, near, child, **{"Process Id": "0x8", "Parent Process": "init"})
    assert found == ("miner", "sh", "bash", "explorer", "init", "process 7", "process 0x8")


@pytest.mark.parametrize(
    "extended",
    [
        {"Suspicious Process Id": "0x2"},
        {"suspicious command line": "B -x"},
        {"Suspicious Process": "c:\\temp\\regsvr32.exe"},
        {"Process Id": "0x2", "Process Name": "bash"},
    ],
)
def test_what_the_properties_name_is_first(extended: dict[str, object]) -> None:
    """The process that most of them name."""
    processes: list[dict[str, Any]] = [
        {"Type": "process", "CommandLine": f"{name} -x", "ProcessId": f"0x{number}"}
        for number, name in enumerate("abc", 1)
    ]
    processes[1]["ImageFile"] = {"$ref": "2"}
    assert _processes(_TOOL, *processes, **extended)[0] == "c:\\temp\\regsvr32.exe: b -x (0x2)"


def test_a_process_that_is_listed_twice_is_told_once() -> None:
    """With all that one of the two says."""
    short = {name: _CHILD[name] for name in ("Type", "ProcessId", "CommandLine", "ImageFile")}
    number = {"Type": "process", "ProcessId": "0x123c"}
    assert _processes(_SHELL, _TOOL, _ADA, _PARENT, number, short, _CHILD)[0] == _CHILD_WORDS
    assert len(_processes(_SHELL, _TOOL, _ADA, _PARENT, number, short, _CHILD)) == 2
    assert _processes(_SHELL, number | {"ProcessId": "0xbc8"}, _PARENT) == ("c:\\windows\\system32\\cmd.exe (0xbc8)",)


def test_processes_that_started_each_other_are_all_told() -> None:
    """References in a circle are no parents that could be followed for ever."""
    processes = [
        {"$id": str(number), "Type": "process", "CommandLine": name, "ParentProcess": {"$ref": str(parent)}}
        for number, name, parent in ((6, "a", 7), (7, "b", 6), (8, "c", 8))
    ]
    assert sorted(_processes(*processes)) == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("words", "command"),
    [
        (_CHILD_WORDS, ".\\regsvr32 /u /s x"),
        ("c:\\windows\\system32\\cmd.exe (0xbc8), child of x", "c:\\windows\\system32\\cmd.exe"),
        ("php -r 1 (42)", "php -r 1"),
        ("echo a: b, c (d)", "echo a: b, c (d)"),
        ("x, by SHOP\\ada", "x"),
        ("process 0x7", ""),
        ("process 0x7, by ada", ""),
    ],
)
def test_the_command_line_of_a_process_is_found_in_its_words(words: str, command: str) -> None:
    """What other products log is what it is compared with."""
    assert command_line_of(words, ["c:\\temp\\regsvr32.exe"]) == command
