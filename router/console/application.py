"""Makes the console of its views and actions."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import nullcontext
from functools import partial
from types import MappingProxyType
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

import orjson
from starlette.applications import Starlette
from starlette.datastructures import ImmutableMultiDict, QueryParams
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

from router.app.destination_readiness import Unready
from router.app.fields import read_words
from router.app.rules import Rules
from router.app.signal_life import DestinationFacts
from router.console.rendering import STATIC, Pages
from router.console.roles import Role, require
from router.destinations.wording.masking import masked
from router.domain.errors import BadField, RouterError, StateInUse, StoreError
from router.domain.readable import one_line
from router.store.codec import PageEnd
from router.store.store import Store

type Document = Mapping[str, Any]
type Read = Callable[[Console, Request], Awaitable[Document]]
type ReadStatus = Callable[[Console], Awaitable[Document]]
type Export = Callable[[Console, Request], AsyncIterator[str]]
type Form = ImmutableMultiDict[str, str]
type Act = Callable[[Console, Form, Request], Awaitable[Effect | Done]]

MOST_POSTED = 64 * 1024
"""Bytes of a form: far more than a reason and a few hundred ids."""


class Console(NamedTuple):
    """What views ask and actions change.

    Attributes:
        facts: what the rules and the settings say of destinations.
        unready: the destinations that cannot be asked; None where they are asked elsewhere, by other settings.
    """

    store: Store
    rules: Rules
    facts: DestinationFacts
    unready: Sequence[Unready] | None


class View(NamedTuple):
    """A page: its path, its template, what reads its document, and what writes it as CSV where it is a table."""

    path: str
    template: str
    read: Read
    export: Export | None = None


class Effect(NamedTuple):
    """What an action would do, to be confirmed: a document, the template that shows it, and a status where it is refused."""

    template: str
    document: Document
    status: int = 200


class Refused(NamedTuple):
    """Why an action was not done, by the field at fault, or "" where no field is; nothing where it was not confirmed."""

    wrong: Mapping[str, str] = MappingProxyType({})
    status: int = 200


async def confirmed(
    console: Console, form: Form, act: Callable[[str], Awaitable[Done]], *, is_alone: bool = False
) -> Done | Refused:
    """Do what a form confirms, by the reason that it gives; `is_alone` where a directory must be this process's meanwhile."""
    if form.get("confirm") != "yes":
        return Refused()
    try:
        with console.store.alone() if is_alone else nullcontext():
            return await act(read_words("reason", form.get("reason", "")))
    except BadField as fault:
        return Refused({fault.field: f"{fault.field or 'it'} {fault.words}"}, 422)
    except StateInUse as fault:
        return Refused({"": f"{fault}, or use the console of that run: alert-router serve --console"}, 409)


class Question(NamedTuple):
    """What an action would do, in sentences, before it does.

    Attributes:
        button: what does it; empty where there is nothing to do.
        items: what it would do it to, a line each.
        is_final: whether it cannot be undone.
        body: a raw body, where that is what is shown.
    """

    title: str
    lines: Sequence[str]
    button: str
    items: Sequence[str] = ()
    is_final: bool = False
    body: str = ""


def ask(
    path: str,
    question: Question,
    form: Form,
    refused: Refused,
    *,
    fields: Sequence[tuple[str, str]] = (),
    inputs: Sequence[Mapping[str, str]] = (),
) -> Effect:
    """Return the page that asks before an action; `fields` are posted again as they are.

    Of `inputs`, each with its name, label and hint, the last is for the reason.
    """
    asked = (*inputs, {"name": "reason", "label": "Reason", "hint": "on record, with your name"})
    document = {
        **question._asdict(),
        "action": path,
        "back": path.rpartition("/")[0],
        "fields": fields,
        "inputs": [{"value": form.get(it["name"], ""), **it, "wrong": refused.wrong.get(it["name"])} for it in asked],
        "wrong": refused.wrong.get("", ""),
    }
    return Effect("effect.html", document, refused.status)


def page_end_in(request: Request, form: str = r".+") -> PageEnd | None:
    """Return after which row a page begins, None for the first page; raises HTTPException where the query says no place."""
    if not (written := request.query_params.get("after")):
        return None
    if (end := PageEnd.parse(written)) is None or not re.fullmatch(form, end.row, re.ASCII):
        raise HTTPException(400, "after: is no place in this list; leave it out to begin at its start.")
    return end


def named_in(query: QueryParams, name: str, known: Collection[str]) -> list[str]:
    """Return what a parameter of a query names, of all that it may; raises HTTPException where it names anything else."""
    named = list(filter(None, query.getlist(name)))
    if unknown := [one for one in named if one not in known]:
        raise HTTPException(400, f"{name}: {unknown[0]!r} is none; write one of {', '.join(known)}.")
    return named


def find_named(query: QueryParams, name: str, known: Collection[str]) -> str | None:
    """Return what one parameter of a query names, None without it; raises HTTPException where there is no such thing."""
    return next(iter(named_in(query, name, known)), None)


class Elsewhere(Exception):
    """What a view raises whose page is another one: there who asks is led, with a query."""

    def __init__(self, path: str, **query: str) -> None:
        super().__init__(path)
        self.path, self.query = path, query


class Done(NamedTuple):
    """What an action did: the page to go on with, and which of `DONE` that page says."""

    path: str
    code: str


class Action(NamedTuple):
    """What a form posts to, and who may post there. It returns an Effect until the form says `confirm`."""

    path: str
    act: Act
    needs: Role = Role.OPERATOR


DONE = {
    "silenced": "The silence is made.",
    "extended": "The silence goes on.",
    "ended": "The silence is ended.",
    "redriven": "Owed again: it is sent with the next round, and the page of its alert says who took it.",
    "some_redriven": "What was still there and can be sent is owed again; the list says what is left.",
    "discarded": "They are discarded.",
    "some_discarded": "What was still there is discarded; others had acted on the rest before.",
    "retaken": "They were taken in again.",
    "some_retaken": "What was still there and is understood now was taken in again; the list says what is left.",
    "gone": "Nothing of that was there any more: others had acted on it before. Nothing was changed.",
    "held": "The destination is held.",
    "released": "The destination is asked again.",
}
"""What pages say of an action that was done, by the code in their URL: a link can put no other words there."""


def new_application(
    console: Console, pages: Pages, views: Sequence[View], actions: Sequence[Action], read_status: ReadStatus
) -> Starlette:
    """Return the application: each view under its path, as JSON under the same path with `.json`; pages say the status, too."""
    routes = [Route(STATIC + "{name}", pages.file), Route("/favicon.ico", Response(status_code=204))]
    for view in views:
        routes += [
            Route(f"{view.path}.json", partial(_show_document, console, view)),
            Route(view.path, partial(_show_page, console, view, pages, read_status)),
        ]
        if view.export is not None:
            routes.append(Route(f"{view.path}.csv", partial(_save, console, view.export, view.path)))
    routes += [Route(one.path, partial(_act, console, one, pages, read_status), methods=["POST"]) for one in actions]
    routes.append(Route("/", RedirectResponse(pages.path("/alerts"), 303)))
    handlers: dict[Any, Any] = {
        Elsewhere: partial(_lead_on, pages),
        HTTPException: partial(_show_http_error, pages),
        RouterError: partial(_show_error, pages),
        Exception: partial(_show_fault, pages),
    }
    app = Starlette(routes=routes, exception_handlers=handlers)
    # It would lead by the scheme that is spoken here, which is not the browser's, and out of the prefix.
    app.router.redirect_slashes = False
    return app


async def _show_page(console: Console, view: View, pages: Pages, read_status: ReadStatus, request: Request) -> Response:
    document = await view.read(console, request)
    status = await read_status(console)
    return pages.render(
        request, view.template, document, status=status, done=DONE.get(request.query_params.get("done", ""))
    )


async def _show_document(console: Console, view: View, request: Request) -> Response:
    return Response(
        orjson.dumps(await view.read(console, request), option=orjson.OPT_UTC_Z), media_type="application/json"
    )


async def _save(console: Console, export: Export, path: str, request: Request) -> Response:
    name = f"{path.rpartition('/')[2]}.csv"
    return StreamingResponse(
        export(console, request),
        media_type="text/csv",
        headers={"content-disposition": f'attachment; filename="{name}"'},
    )


async def _act(console: Console, action: Action, pages: Pages, read_status: ReadStatus, request: Request) -> Response:
    require(request, action.needs)
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > MOST_POSTED:
            raise HTTPException(413, "The form is too long.")
    form = ImmutableMultiDict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
    found = await action.act(console, form, request)
    if isinstance(found, Done):
        return RedirectResponse(pages.path(found.path, done=found.code), 303)
    return pages.render(request, found.template, found.document, found.status, status=await read_status(console))


async def _lead_on(pages: Pages, request: Request, found: Elsewhere) -> Response:
    suffix = ".json" if request.url.path.endswith(".json") else ""
    return RedirectResponse(pages.path(f"{found.path}{suffix}", found.query), 303)


async def _show_http_error(pages: Pages, request: Request, error: HTTPException) -> Response:
    words = error.detail if error.status_code != 404 or error.detail != "Not Found" else "There is no such page."
    return pages.error(request, error.status_code, words)


async def _show_error(pages: Pages, request: Request, error: RouterError) -> Response:
    return pages.error(request, 503 if isinstance(error, StoreError) else 400, one_line(masked(str(error))))


async def _show_fault(pages: Pages, request: Request, error: Exception) -> Response:
    return pages.error(request, 500, "This page failed; the program's log says why.")
