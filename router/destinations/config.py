"""Pieces that the configs of destinations are made of. Secrets are named, never written."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from difflib import get_close_matches
from enum import StrEnum
from typing import Annotated, Any
from urllib.parse import urlsplit, urlunsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, Tag, model_validator
from pydantic_core import PydanticCustomError

from router.destinations.wording.escaping import read_table
from router.destinations.wording.headlines import location_of, severity_of
from router.destinations.wording.notice_text import link_of
from router.domain.notices import Notice
from router.domain.urls import is_host, is_loopback, split_url


def _add_examples(schema: dict[str, Any]) -> None:
    """Puts the examples of a kind into the schema of its config."""
    kind = schema.get("properties", {}).get("kind", {}).get("const")
    if (examples := read_table("examples.toml").get(kind)) is not None:
        schema["examples"] = examples


class Config(BaseModel, defer_build=True):
    """A destination's entry in policy.yaml; its form is built at its first use. Errors do not repeat what may be a secret."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, json_schema_extra=_add_examples)

    @property
    def clients(self) -> tuple[str, ...]:
        """The modules of the extra `azure` without which it cannot be asked."""
        return ()


class AiAlerts(StrEnum):
    """How much a destination is told of alerts about AI, in which prompts and answers may stand."""

    OUTLINE = "outline"
    WHOLE = "whole"


type _PropertyName = Annotated[str, Field(pattern=r"[^\W_]")]
"""A name with a letter or a digit, by which it is compared."""


class Withhold(Config):
    """What a destination never gets: `[NAME, ...]`, or `{properties: [NAME, ...], ai: outline | whole}`.

    The names are those of extended properties and of lists of evidence. Where `ai` is not given, the kind says how much it is
    told of alerts about AI.
    """

    properties: tuple[_PropertyName, ...] = ()
    ai: AiAlerts | None = None


def _listed_or_mapped(value: Any) -> Any:
    return {"properties": value} if isinstance(value, list | tuple) else value


class OneByOneConfig(Config):
    """What every kind that tells people takes in policy.yaml, beside its own keys."""

    withhold: Annotated[
        Withhold, BeforeValidator(_listed_or_mapped, json_schema_input_type=list[_PropertyName] | Withhold)
    ] = Withhold()
    """What it never gets."""


class SecretName(Config):
    """A secret by the name of its app setting: `{secret: NAME}`."""

    secret: Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]*$")]

    @model_validator(mode="before")
    @classmethod
    def _is_not_written_out(cls, value: Any) -> Any:
        if isinstance(value, str):
            raise PydanticCustomError(
                "written_out", "a secret is never written here: name its app setting, {secret: NAME}"
            )
        return value


class SettingName(Config):
    """What an app setting holds, by its name: `{setting: NAME}`. It is no secret, and messages show it."""

    setting: Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]*$")]

    def __str__(self) -> str:
        return f"{{setting: {self.setting}}}"


def named_or_written(value: Any) -> str:
    """Which of two tags fits what may be written in the rules or held by an app setting."""
    return "named" if isinstance(value, dict | SettingName) else "written"


class BearerAuth(Config):
    """A token: `{bearer: {secret: NAME}}`."""

    bearer: SecretName


class BasicAuth(Config):
    """A user and its password: `{user: NAME, password: {secret: NAME}}`; the user's name may be a secret too."""

    user: Annotated[str, Field(min_length=1, pattern=r"^[^:]+$")] | SecretName
    password: SecretName


class Allowed(str):
    """A URL or a host that the rules allow to be asked, told from other text by its type."""

    __slots__ = ()


def _https(text: str) -> Allowed:
    url = split_url(text)
    if url.scheme != "https" and not (url.scheme == "http" and is_loopback(url.hostname or "")):
        raise ValueError("must be an https URL; http is for loopback only")
    if url.query or url.fragment:
        raise ValueError("must have no query and no fragment: they often carry a secret")
    port = f":{url.port}" if url.port is not None and (url.scheme, url.port) != ("https", 443) else ""
    host = f"[{url.hostname}]" if ":" in (url.hostname or "") else url.hostname
    return Allowed(urlunsplit((url.scheme, f"{host}{port}", url.path, "", "")))


def _named_host(text: str) -> Allowed:
    host = text.lower()
    if not is_host(host):
        raise ValueError("must name a host whose parts have 1 to 63 letters, digits and hyphens, without a port")
    return Allowed(host.rstrip("."))


Host = Annotated[str, AfterValidator(_named_host)]
"""A host by its name or its address, in lower case."""

HttpsUrl = Annotated[str, AfterValidator(_https), Field(json_schema_extra={"format": "uri"})]
"""An https address with a lower-case host; http is allowed to loopback only. Without user, query and fragment."""


class ClientCredentials(Config):
    """OAuth 2.0 client credentials: `{client_id: ID, client_secret: {secret: NAME}, token_url: https://..., scope: ...}`."""

    client_id: Annotated[str, Field(min_length=1)]
    client_secret: SecretName
    token_url: HttpsUrl
    scope: Annotated[str, Field(min_length=1)] | None = None


def _form_of(value: Any) -> str:
    keys = value if isinstance(value, dict) else type(value).model_fields if isinstance(value, BaseModel) else {}
    return next((form for form, key in (("token", "bearer"), ("client", "client_id")) if key in keys), "basic")


type Auth = Annotated[
    Annotated[BearerAuth, Tag("token")]
    | Annotated[BasicAuth, Tag("basic")]
    | Annotated[ClientCredentials, Tag("client")],
    Discriminator(_form_of),
]
"""How a vendor is told who we are: a token, a user and password, or OAuth 2.0 client credentials."""


def _origin(url: str) -> str:
    if urlsplit(url).path not in ("", "/"):
        raise ValueError("must be an origin, without a path: the path stands in the secret")
    return Allowed(base_of(url))


Origin = Annotated[str, AfterValidator(_https), AfterValidator(_origin), Field(json_schema_extra={"format": "uri"})]
"""Where an address that is a secret leads: https and a host, so that nothing is asked of a host that the rules do not name."""


def base_of(url: str) -> str:
    """An address without the slash at its end, to which a path is added."""
    return url.rstrip("/")


def hosts_in(config: object) -> set[str]:
    """The hosts that a destination of a config may ask, as far as the config says."""
    return {urlsplit(part).hostname or str(part) for part in _parts_of(config) if isinstance(part, Allowed)}


def settings_in(config: object) -> set[str]:
    """The names of the app settings that stand for a part of a config."""
    return {part.setting for part in _parts_of(config) if isinstance(part, SettingName)}


def with_setting(config: Config, name: str, value: str) -> Config:
    """The config in which a setting's value stands where the setting was named; raises ValidationError if it cannot."""
    return config.model_validate(_replaced(config.model_dump(exclude_unset=True), name, value))


def _parts_of(value: object) -> Iterator[object]:
    yield value
    inner = dict(value) if isinstance(value, BaseModel) else value
    for child in inner.values() if isinstance(inner, Mapping) else inner if isinstance(inner, list | tuple) else ():
        yield from _parts_of(child)


def _replaced(dumped: Any, name: str, value: str) -> Any:
    if dumped == {"setting": name}:
        return value
    if isinstance(dumped, dict):
        return {key: _replaced(child, name, value) for key, child in dumped.items()}
    if isinstance(dumped, list | tuple):
        return [_replaced(child, name, value) for child in dumped]
    return dumped


type Text = Callable[[Notice], str]
"""What a notice makes of a text with placeholders."""

PLACEHOLDERS: Mapping[str, Text] = {
    "owner.group": lambda notice: (notice.owner.group if notice.owner else None) or "",
    "owner.service": lambda notice: (notice.owner.service if notice.owner else None) or "",
    "severity": lambda notice: notice.severity or severity_of(notice),
    "title": lambda notice: notice.title,
    "type": lambda notice: notice.type,
    "id": lambda notice: notice.id,
    "key": lambda notice: notice.key,
    "kind": lambda notice: notice.kind,
    "stream": lambda notice: notice.stream,
    "status": lambda notice: notice.status or "",
    "plan": lambda notice: notice.plan or "",
    "place": location_of,
    "resource": lambda notice: notice.resource or "",
    "resource_type": lambda notice: notice.resource_type or "",
    "resource_group": lambda notice: notice.resource_group or "",
    "subscription": lambda notice: notice.subscription or "",
    "tactics": lambda notice: ", ".join(tactic.name for tactic in notice.tactics),
    "techniques": lambda notice: ", ".join(notice.techniques),
    "routes": lambda notice: ", ".join(notice.routes),
    "link": lambda notice: link_of(notice) or "",
    "respond_by": lambda notice: notice.respond_by or "",
    "respond_by.date": lambda notice: (notice.respond_by or "").partition("T")[0],
}

_BRACES = re.compile(r"\{([^{}]*)\}")


def parse(text: str) -> Text:
    """What fills a text in for each notice; ValueError for an unknown placeholder or a brace that stands alone."""
    pieces = _BRACES.split(text)
    fixed, names = pieces[::2], pieces[1::2]
    for name in names:
        if name not in PLACEHOLDERS:
            near = get_close_matches(name, PLACEHOLDERS, n=1)
            meant = f"did you mean {{{near[0]}}}?" if near else f"there are {', '.join(sorted(PLACEHOLDERS))}"
            raise ValueError(f"{{{name}}} is no placeholder; {meant}")
    if any("{" in piece or "}" in piece for piece in fixed):
        raise ValueError("a brace stands alone; braces hold a placeholder, such as {owner.group}")
    makers = [PLACEHOLDERS[name] for name in names]

    def filled(notice: Notice) -> str:
        made = (piece + maker(notice) for piece, maker in zip(fixed, makers, strict=False))
        return "".join(made) + fixed[-1]

    return filled


def fields_of_owners(fields: Mapping[str, object]) -> set[str]:
    """The fields of a ticket that say what a team says of itself in owners.yaml."""
    return {name for name, value in fields.items() if "{owner." in str(value)}


def checked_fields[T](written: dict[str, T], ours: Mapping[str, str]) -> dict[str, T]:
    """The fields of a ticket as written; ValueError for one that is ours, by its reason, and for a wrong placeholder."""
    for name, value in written.items():
        if name in ours:
            raise ValueError(f"{name}: {ours[name]}")
        try:
            for text in _parts_of(value):
                parse(text if isinstance(text, str) else "")
        except ValueError as wrong:
            raise ValueError(f"{name}: {wrong}") from None
    return written


def _checked(text: str) -> str:
    parse(text)
    return text


Template = Annotated[str, AfterValidator(_checked)]
"""A text of a config with placeholders, which are checked when the policy is read."""
