"""No kind of destination lets a secret out, whatever the other side says back: not in an error, a receipt, a log or a repr."""

from __future__ import annotations

import asyncio
import logging
from copy import replace
from itertools import product
from typing import Any

import pytest
from aiohttp import web

from alert_router_demo.soc.endpoint import json_answer, served
from router.destinations import discover
from tests.destinations import goldens
from tests.destinations.builders import a_secret, an_attempt, secret_names_in
from tests.destinations.goldens import CASES
from tests.secrecy import found_in
from tests.vendors.room import the_shell

STATUSES = (200, 302, 400, 401, 404, 429, 500)
WORDS = ("message", "detail", "error", "errors", "title", "text", "errorMessages", "error_description", "access_token")
"""Where vendors put their words, and where one might take them from."""

KINDS = discover()
MAILERS = {"email"}
"""Kinds that ask no web server; `test_email.py` says the same of them."""
EXAMPLES = [
    (name, example)
    for name, kind in KINDS.items()
    for example in kind.Config.model_json_schema()["examples"]
    if list(secret_names_in(example)) and name not in MAILERS
]


class Echo:
    """Someone who says back all that it is told, and remembers what it was told in confidence."""

    def __init__(self) -> None:
        self.status = 200
        self.confidences: set[str] = set()

    async def answer(self, request: web.Request) -> web.Response:
        body = await request.text()
        self.confidences |= {
            one.split()[-1] for name, one in request.headers.items() if name.lower() == "authorization"
        }
        said = f"{request.path_qs} {dict(request.headers)} {body}"
        return json_answer(dict.fromkeys(WORDS, said), self.status)


def on_loopback(name: str, example: dict[str, Any], address: str) -> dict[str, Any]:
    """An example whose vendor is at an address, also where it leaves out where that is."""
    left_out = {
        field: address
        for field, about in KINDS[name].Config.model_fields.items()
        if isinstance(about.default, str) and about.default.startswith("https://")
    }
    moved: dict[str, Any] = left_out | at(address, example)
    return moved


def at(address: str, value: Any) -> Any:
    match value:
        case str() if value.startswith("https://"):
            return address
        case dict():
            return {key: at(address, item) for key, item in value.items()}
        case _:
            return value


@pytest.mark.parametrize(
    ("name", "example"), EXAMPLES, ids=[f"{name}-{place}" for place, (name, _) in enumerate(EXAMPLES)]
)
def test_what_is_said_back_is_not_repeated(
    name: str, example: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    """Headers, bodies and addresses, echoed in every word that a vendor explains itself with, under every status."""
    caplog.set_level(logging.DEBUG)
    echo, application = Echo(), web.Application()
    application.router.add_route("*", "/{path:.*}", echo.answer)

    async def run() -> tuple[list[str], dict[str, str]]:
        async with served(application) as address, the_shell() as answers:
            secrets = {one: a_secret(one) for one in secret_names_in(example)}
            if isinstance(example.get("url"), dict):  # the address itself is the secret
                secrets[example["url"]["secret"]] = f"{address}/hooks/{a_secret('PATH')}?sig={a_secret('SIG')}"
            kind = KINDS[name](KINDS[name].Config.model_validate(on_loopback(name, example, address)))
            assert kind.address.startswith(address)
            said: list[str] = []
            # The others say no other change.
            for echo.status, case in product(STATUSES, CASES[:5]):
                opening = goldens.opening_of(name) if case.has_opening else None
                attempt = replace(an_attempt(change=case.change, opening=opening), secrets=secrets)
                (result,) = await answers.converse(kind, [attempt])
                said += [str(result), repr(result), repr(attempt)]
            return said, secrets

    said, secrets = asyncio.run(run())
    hidden = {*secrets.values(), *echo.confidences, a_secret("PATH"), a_secret("SIG")}
    assert len(said) == 3 * len(STATUSES) * 5
    assert not found_in("\n".join([caplog.text, *said]), hidden)
