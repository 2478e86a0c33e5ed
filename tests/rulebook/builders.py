"""Rules directories for tests, sound ones, in which a test changes what it is about; and kinds of destination of no vendor."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from router.domain.conversation import Conversation, Deduplication, DestinationKind
from router.domain.deliveries import Attempt
from router.domain.rulebook import Lane, Route, Rulebook
from router.domain.signals import Stream
from router.rulebook import Loaded, Problem, load
from router.rulebook.lints import lint
from tests.builders import RULES


class _Config(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Secret(_Config):
    """A secret by name."""

    secret: Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]*$")]


class _Kind:
    deduplicates: ClassVar[Deduplication] = Deduplication.NONE
    batch: ClassVar[int] = 1

    def __init__(self, config: Any) -> None:
        self.config = config
        self.address = str(getattr(config, "url", getattr(config, "table", "pager")))

    def conversation_for(self, attempts: Sequence[Attempt]) -> Conversation:
        """Nothing is sent here."""
        raise NotImplementedError


class PagerConfig(_Config):
    """A pager's key."""

    key: Secret


def _https(url: str) -> str:
    if not url.startswith("https://"):
        raise ValueError(f"{url} must be an https address")
    return url


class TicketKindConfig(_Config):
    """A ticket desk's address and key; it knows its `kind`, as kinds may."""

    kind: str = "desk"
    url: Annotated[str, AfterValidator(_https)]
    key: Secret
    fields: dict[str, object] = Field(default_factory=dict)
    withhold: list[str] | dict[str, list[str]] = Field(default_factory=list)


class RowsConfig(_Config):
    """A table for rows."""

    table: str


def _a_kind(name: str, lane: Lane, config: type[Any]) -> type[DestinationKind]:
    return type(name, (_Kind,), {"name": name, "lane": lane, "Config": config})


KINDS: Mapping[str, type[DestinationKind]] = {
    "pager": _a_kind("pager", Lane.PAGE, PagerConfig),
    "desk": _a_kind("desk", Lane.TICKET, TicketKindConfig),
    "rows": _a_kind("rows", Lane.ROWS, RowsConfig),
}


NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)

type Files = Mapping[str, object]
"""Files by name; what is no text is written as JSON, which YAML knows."""


def a_policy(stream: str = "cwpp", **parts: object) -> dict[str, object]:
    """A policy with one destination, `tickets`, where everything goes."""
    destinations = {"tickets": {"kind": "desk", "url": f"https://{stream}.example.com", "key": {"secret": "DESK_KEY"}}}
    return {"stream": stream, "destinations": destinations, "otherwise": ["tickets"], **parts}


def a_body(**properties: object) -> dict[str, object]:
    """A suppression rule as Defender writes it; a property of None is left out."""
    sound: dict[str, object] = {
        "alertType": "SQL.DB_BruteForce",
        "state": "Enabled",
        "reason": "Noise",
        "expirationDateUtc": "2027-06-01T00:00:00Z",
        "comment": "Scanner, owner secops@example.com",
        "suppressionAlertsScope": {"allOf": [{"field": "entities.ip.address", "in": ["10.20.0.5"]}]},
    }
    return {"properties": {key: value for key, value in (sound | properties).items() if value is not None}}


def a_scoped_body(*elements: object, **properties: object) -> dict[str, object]:
    """Such a rule with a scope of some elements."""
    return a_body(suppressionAlertsScope={"allOf": list(elements)}, **properties)


def rules_in(directory: Path, files: Files | None = None, stream: str = "cwpp") -> Path:
    """A sound rules directory with some files added or replaced."""
    contents: dict[str, object] = {
        f"{stream}/policy.yaml": a_policy(stream),
        "attack.yaml": (RULES / "attack.yaml").read_text(encoding="utf-8"),
        **(files or {}),
    }
    for name, content in contents.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            path.write_text(content if isinstance(content, str) else json.dumps(content, indent=2), encoding="utf-8")
    return directory


def checked(files: Files | None = None, stream: Stream = Stream.CWPP) -> tuple[Loaded, tuple[Problem, ...]]:
    """What becomes of such a directory at NOW, and what lints say of it."""
    with TemporaryDirectory() as directory:
        rules = rules_in(Path(directory), files, stream)
        result = load(rules, stream, KINDS, NOW)
        return result, tuple(lint(rules, stream, result, NOW))


def loaded(files: Files | None = None, stream: Stream = Stream.CWPP) -> Loaded:
    """What becomes of such a directory at NOW."""
    with TemporaryDirectory() as directory:
        return load(rules_in(Path(directory), files, stream), stream, KINDS, NOW)


def messages(files: Files, stream: Stream = Stream.CWPP) -> list[str]:
    """What is said of such a directory when it is loaded, without the places."""
    return [problem.message for problem in loaded(files, stream).problems]


def lints(files: Files, stream: Stream = Stream.CWPP, code: str | None = None) -> list[str]:
    """What lints say, or those with one code; all of it are warnings."""
    found = checked(files, stream)[1]
    assert {one.level for one in found} <= {"warning"}
    return [f"{one.file}: {one.message}" for one in found if code in (None, one.code)]


def the_book(files: Files | None = None, stream: Stream = Stream.CWPP) -> Rulebook:
    """The rulebook of such a directory, which has one."""
    result = loaded(files, stream)
    assert result.rulebook is not None, [str(problem) for problem in result.problems]
    return result.rulebook


def a_sound_rulebook(directory: Path, files: Files | None = None, stream: Stream = Stream.CWPP) -> Rulebook:
    """The same of a directory that stays."""
    rules_in(directory, files, stream)
    return the_book(files, stream)


def rules_of(files: Files, stream: Stream = Stream.CWPP) -> set[str]:
    """The names of the suppression rules that are in force with such files."""
    return set(the_book(files, stream).suppressions.by_name)


def a_route(when: Mapping[str, object], stream: Stream = Stream.CWPP, files: Files | None = None) -> Route:
    """The one route of a policy, with that `when`, beside other files."""
    policy = a_policy(stream, routes=[{"name": "one", "when": dict(when), "to": ["tickets"]}])
    (route,) = the_book({f"{stream}/policy.yaml": policy, **(files or {})}, stream).routes
    return route
