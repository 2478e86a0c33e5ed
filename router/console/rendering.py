"""Renders documents as pages: one Jinja environment in which every template escapes what it is given."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from importlib.resources import files
from mimetypes import guess_type
from typing import Any, NamedTuple, overload
from urllib.parse import urlencode

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from starlette.datastructures import QueryParams
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response

from router.decide import iso
from router.destinations.wording.fitting import shortened
from router.destinations.wording.masking import masked
from router.domain.readable import legible, one_line, span, timestamp
from router.domain.resources import parse_resource_id

STATIC = "/static/"
_FOREVER = {"cache-control": "public, max-age=31536000, immutable"}
"""A file's name has the digest of what it holds, so that what is kept is never out of date."""

LONGEST_TEXT = 1_000
"""Characters of a text in a document; senders may write any number."""


class Chip(NamedTuple):
    """A filter that is on, and the URL without it."""

    name: str
    value: str
    without: str


class Pages:
    """The templates and the files that pages name.

    Attributes:
        prefix: what comes before every path, where the console is a part of another application.
    """

    def __init__(self, clock: Callable[[], datetime], prefix: str = "") -> None:
        self._clock, self.prefix = clock, prefix
        self._files = {f"{_digest(one.read_bytes())}-{one.name}": one.read_bytes() for one in _static()}
        names = {name.partition("-")[2]: name for name in self._files}
        env = Environment(
            loader=ChoiceLoader([PackageLoader("router.console"), PackageLoader("router.console", "static")]),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        env.filters |= {"ago": self._ago, "instant": _instant, "span": span, "resource_name": resource_name}
        env.globals |= {
            "static": lambda name: f"{prefix}{STATIC}{names[name]}",
            "path": self.path,
            "chips_in": self._chips_in,
        }
        self._env = env

    def _chips_in(self, path: str, query: QueryParams, names: Sequence[str]) -> list[Chip]:
        """Return the filters that are on; without one of them a list begins anew."""
        items = [one for one in query.multi_items() if one[0] != "after"]
        on = [(name, value) for name, value in items if name in names and value]
        return [Chip(*one, self.path(path, QueryParams([kept for kept in items if kept != one]))) for one in on]

    def path(self, path: str, given: Mapping[str, object] | QueryParams | None = None, **changes: object) -> str:
        """Return the URL of a page, with a query; a parameter that is changed to None or nothing is left out."""
        query = list(given.multi_items() if isinstance(given, QueryParams) else (given or {}).items())
        kept = [*(one for one in query if one[0] not in changes), *changes.items()]
        written = urlencode([one for one in kept if one[1] not in (None, "")])
        # A path that begins with two slashes would be read as another host.
        return f"{self.prefix}/{path.lstrip('/')}{'?' if written else ''}{written}"

    def render(
        self, request: Request, template: str, document: Mapping[str, Any], code: int = 200, **more: Any
    ) -> Response:
        """Return a page; `more` is what the page shows around its document."""
        own = {
            "layout": "base.html",
            "url": request.url,
            "query": request.query_params,
            "status": None,
            "visitor": getattr(request.state, "visitor", None),
            "done": None,
            **more,
        }
        return HTMLResponse(self.text(template, document, **own), code)

    def text(self, template: str, document: Mapping[str, Any], **around: Any) -> str:
        """Return a document as its template shows it; `around` is what stands around it, in the template `layout`."""
        return self._env.get_template(template).render(**around, now=self._clock().astimezone(UTC), doc=document)

    def error(self, request: Request, code: int, words: str, *, again: bool = False) -> Response:
        """Return a page that says what is wrong, or JSON; `again` offers to open the same URL from the page."""
        if request.url.path.endswith(".json"):
            return JSONResponse({"error": words}, code)
        return self.render(request, "error.html", {"code": code, "words": words, "again": again}, code)

    async def file(self, request: Request) -> Response:
        """Return a file that pages name."""
        name = request.path_params["name"]
        if (content := self._files.get(name)) is None:
            raise HTTPException(404)
        return Response(content, media_type=guess_type(name)[0], headers=_FOREVER)

    def _ago(self, instant: str | datetime | None) -> str:
        """Return how long ago an instant was, or how far ahead it is."""
        if instant is None:
            return ""
        at = datetime.fromisoformat(instant) if isinstance(instant, str) else instant
        seconds = (self._clock() - at).total_seconds()
        return f"{span(seconds)} ago" if seconds >= 0 else f"in {span(-seconds)}"


@overload
def shown(value: str) -> str: ...
@overload
def shown(value: Mapping[str, Any]) -> dict[str, Any]: ...
@overload
def shown(value: object, name: str = ...) -> Any: ...
def shown(value: object, name: str = "") -> Any:
    """Return a value as documents have it: instants as texts, and texts masked, on one line, with nothing that acts, and cut.

    What stands under the name `text` has several lines, and is masked and bounded where it is made.
    """
    match value:
        case str():
            return legible(value) if name == "text" else shortened(one_line(masked(value)), LONGEST_TEXT)
        case datetime():
            return iso(value)
        case Mapping():
            return {key: shown(one, key) for key, one in value.items()}
        case list() | tuple():
            return list(map(shown, value))
    return value


def resource_name(resource: str) -> str:
    """Return the name of a resource, or its id where that has none."""
    return parse_resource_id(resource).name or resource


def _instant(instant: str | datetime) -> str:
    """Return an instant in UTC, to the second, as commands print it."""
    return timestamp(datetime.fromisoformat(instant) if isinstance(instant, str) else instant)


def _static() -> list[Any]:
    return [one for one in files("router.console").joinpath("static").iterdir() if one.is_file()]


def _digest(content: bytes) -> str:
    return sha256(content).hexdigest()[:12]
