"""Kinds of destination that no vendor has: one for each lane."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from router.domain.conversation import Conversation, Deduplication, DestinationKind
from router.domain.deliveries import Attempt
from router.domain.rulebook import Lane


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
