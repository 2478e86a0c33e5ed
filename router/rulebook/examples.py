"""rules/<stream>/examples: messages, and the part of the decision that they are expected to get."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal

from annotated_types import MinLen
from pydantic import AwareDatetime, Field, RootModel, StrictBool, field_validator

from router.domain.decisions import Change, Outcome
from router.domain.signals import Kind, Stream
from router.domain.values import Value
from router.rulebook.documents import Unreadable, parse
from router.rulebook.folder import Folder
from router.rulebook.problems import KeyPath, Problem
from router.rulebook.validation_messages import complaints_of, find_sound, hint
from router.rulebook.when_form import Form, LevelName, Word

DIRECTORY = "examples"
"""The examples of a stream, in the stream's directory."""

_SUFFIXES = (".yaml", ".yml", ".json")
_MESSAGES = frozenset({"message", "messages"})
_LARGEST = 1024 * 1024
"""The most bytes of a file that is asked whether it holds examples; a larger one is an export."""

type Message = dict[str, object] | str


class ExpectForm(Form):
    """What is expected of the decision; keys that are not given may be anything. Lists are compared as sets."""

    @field_validator("*", mode="before")
    @classmethod
    def _has_value(cls, value: object) -> object:
        # Here null says something: that the decision has nothing there either.
        return value

    outcome: Outcome = Field(default=Outcome.ROUTED)
    """The outcome."""
    reason: str | None = None
    """The whole reason, or its code alone."""
    notice: Change | None = None
    """What people are told; null for nothing."""
    suppressed_by: str | None = None
    """The suppression rule that holds the message."""
    suppressed_until: str | None = None
    """When that rule ends, as the decisions file writes it."""
    shadowed_by: list[str] = Field(default_factory=list)
    """The shadow rules that would hold the message."""
    routes: list[str] = Field(default_factory=list)
    """The routes that match."""
    destinations: list[str] = Field(default_factory=list)
    """The destinations that are told, those of `always` among them."""
    owner: str | None = None
    """The owner's group in owners.yaml, or its service where it has no group; null for no owner."""
    tactics: list[str] = Field(default_factory=list)
    """ATT&CK tactic ids."""
    techniques: list[str] = Field(default_factory=list)
    """ATT&CK technique ids."""
    id: str | None = None
    stream: Stream | None = None
    kind: Kind | Literal["unknown"] = "unknown"
    type: str | None = None
    title: str | None = None
    severity: LevelName | None = None
    status: str | None = None
    plan: str | None = None
    resource: str | None = None
    sample: StrictBool = False


class ExampleForm(Form):
    """A message, or several that are to fare alike, and what is expected of their decisions."""

    name: Word
    """What the example shows, in a few words."""
    now: AwareDatetime
    """The time at which it is decided."""
    message: Message | None = Field(default=None)
    """A message as Defender exports it; text stands for itself."""
    messages: Annotated[list[Message], MinLen(1)] | None = Field(default=None)
    """Several messages that are to fare alike."""
    expect: ExpectForm


class ExamplesForm(RootModel[list[ExampleForm]]):
    """Examples of what the rules do."""


class Example(Value, kw_only=True):
    """One example of what the rules do."""

    name: str
    file: str
    line: int | None
    now: datetime
    bodies: tuple[bytes, ...]
    expect: Mapping[str, object]

    def unmet_by(self, decided: Mapping[str, object]) -> Mapping[str, str]:
        """What is otherwise than expected, by key: `routes: expected [...], got [...]`.

        `decided` is a line of the decisions file, and beside it who the `owner` is.
        """
        return {
            key: f"{key}: expected {json.dumps(wanted)}, got {json.dumps(decided.get(key))}"
            for key, wanted in self.expect.items()
            if not _meets(key, wanted, decided.get(key))
        }


def load_examples(rules: Path, stream: Stream) -> tuple[tuple[Example, ...], tuple[Problem, ...]]:
    """The examples of a stream in file order, and what is wrong with their files."""
    folder = Folder(rules)
    examples = tuple(_examples_in(folder, stream))
    return examples, folder.problems


def has_examples(path: Path) -> bool:
    """Whether a file, wherever it lies, holds examples and no messages; False where that cannot be told, and of a huge one."""
    try:
        if not path.name.lower().endswith(_SUFFIXES) or not path.is_file() or path.stat().st_size > _LARGEST:
            return False
        value, _ = parse(path.read_text(encoding="utf-8-sig"), path.name)
    except (OSError, ValueError, Unreadable):
        return False
    entries = value if isinstance(value, list) else []
    return any(isinstance(one, dict) and "expect" in one and _MESSAGES & one.keys() for one in entries)


def _examples_in(folder: Folder, stream: Stream) -> Iterator[Example]:
    positions: dict[str, str] = {}
    for file in folder.files_in(f"{stream}/{DIRECTORY}"):
        if not file.lower().endswith(_SUFFIXES):
            unread = "is not read: examples stand in .yaml, .yml or .json files here"
            folder.blame(file, unread, level="warning", code="file-not-read")
            continue
        document = folder.read(file)
        if document is None:
            continue
        if not isinstance(document.value, list):
            folder.note(document, (), "must be a list of examples")
            continue
        for path, message, code in complaints_of(ExamplesForm, document.value):
            folder.note(document, path, _with_keys(path, message, code), code=code)
        for number, value in enumerate(document.value):
            if (form := find_sound(ExampleForm, value)) is None:
                continue
            if (form.message is None) == (form.messages is None):
                folder.note(document, (number,), "must have either message or messages")
            elif not form.expect.model_fields_set:
                folder.note(document, (number, "expect"), "must expect something")
            else:
                if form.name in positions:
                    twin = f"is the name of another example too, at {positions[form.name]}; rename one"
                    folder.note(document, (number, "name"), twin, "warning", "duplicate-name")
                positions.setdefault(form.name, document.position_of((number,)))
                yield _example(form, file, document.line_of((number,)))


def _with_keys(path: KeyPath, message: str, code: str) -> str:
    """A complaint, which says of an unknown key in `expect` what can be expected; the keys of messages are no help there."""
    if code != "unknown-key" or path[1:2] != ("expect",):
        return message
    known = list(ExpectForm.model_fields)
    if str(path[-1]) in known:  # it has no space behind its colon
        return message
    return "is no key that belongs here" + (hint(str(path[-1]), known) or f"; the keys are {', '.join(known)}")


def _example(form: ExampleForm, file: str, line: int | None) -> Example:
    messages = [form.message] if form.message is not None else form.messages or []
    texts = (message if isinstance(message, str) else json.dumps(message) for message in messages)
    return Example(
        name=form.name,
        file=file,
        line=line,
        now=form.now.astimezone(UTC),
        # Half a pair of UTF-16 may stand in JSON, as \ud800 does, and arrives so.
        bodies=tuple(text.encode("utf-8", "surrogatepass") for text in texts),
        expect=form.expect.model_dump(mode="json", exclude_unset=True),
    )


def _meets(key: str, wanted: object, got: object) -> bool:
    if isinstance(wanted, list) and isinstance(got, list):
        return sorted(wanted) == sorted(got)
    if key == "reason" and isinstance(wanted, str) and isinstance(got, str) and ": " not in wanted:
        return got.partition(": ")[0] == wanted
    return wanted == got
