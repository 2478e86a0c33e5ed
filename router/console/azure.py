"""The console in Azure Functions, for who signed in by App Service authentication and has an app role of Microsoft Entra's.

The platform says who signed in by headers. Where it is on it takes those away that come from outside; where it is not, any
client can send them. So only function_app.py imports this, and all are refused unless the platform says that it is on.
https://learn.microsoft.com/azure/app-service/configure-authentication-user-identities
"""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

from msgspec import MsgspecError, json
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from router.app.lazy import Lazy
from router.app.service import Service
from router.app.settings import ROLES, Settings, now
from router.app.signal_life import facts_of
from router.console.access import Access
from router.console.application import Console
from router.console.rendering import Pages
from router.console.roles import Role, Visitor, read_role_map, role_by
from router.console.views import new_console
from router.destinations.wording.fitting import shortened
from router.destinations.wording.masking import masked
from router.domain.errors import BadSetting, RouterError
from router.domain.readable import one_line
from router.domain.values import Value

PREFIX = "/api/console"
"""Where the function is reached."""

SIGNS_IN, SITE, TENANT = "WEBSITE_AUTH_ENABLED", "WEBSITE_HOSTNAME", "ALERT_ROUTER_CONSOLE_TENANT"
"""The settings of whether the platform signs people in and by which name it is reached, both its own, and of their tenant.
https://learn.microsoft.com/azure/app-service/reference-app-settings"""

_HEADER = "x-ms-client-principal"
LONGEST_PRINCIPAL = 16 * 1024
"""Characters of the header that says who signed in."""
_LONGEST_NAME = 200
_OUT = "/.auth/logout"
"""Where the platform signs people out."""

_ENTRA = "http://schemas.microsoft.com/identity/claims/"
_TENANT_CLAIMS, _ID_CLAIMS = ("tid", f"{_ENTRA}tenantid"), ("oid", f"{_ENTRA}objectidentifier")
_ROLE_CLAIMS = ("roles", "http://schemas.microsoft.com/ws/2008/06/identity/claims/role")
"""What app roles are called: the one or the other, or as the header itself says."""
_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class TokenClaim(Value):
    """What a token says, by a type and a value."""

    typ: str
    val: str


class Principal(Value):
    """Who signed in, as the header has it."""

    auth_typ: str
    claims: list[TokenClaim]
    role_typ: str | None = None

    def values(self, *types: str | None) -> set[str]:
        """Return what claims of some types say."""
        return {claim.val for claim in self.claims if claim.typ in types}

    def find_id(self, types: tuple[str, ...]) -> str | None:
        """Return the id that claims of some types name; None where they name none, or several."""
        found = {value.lower() for value in self.values(*types)}
        return found.pop() if len(found) == 1 and all(map(_GUID.fullmatch, found)) else None


def find_principal(written: str) -> Principal | None:
    """Return who a header says signed in by Microsoft Entra; None where it cannot be read."""
    if len(written) > LONGEST_PRINCIPAL:
        return None
    try:
        found = json.decode(b64decode(written + "=" * (-len(written) % 4), validate=True), type=Principal)
    except (ValueError, MsgspecError, RecursionError):
        return None
    return found if found.auth_typ == "aad" else None


class EasyAuth(Access):
    """Lets people in whom the platform signed in, with the role that their app roles give."""

    def __init__(self, app: ASGIApp, *, pages: Pages, settings: Settings) -> None:
        given = settings.look_up((SIGNS_IN, SITE, ROLES, TENANT)).values
        self._tenant, self._roles, self._closed = given.get(TENANT, "").lower(), dict[str, Role](), ""
        hosts = {given.get(SITE, "").lower()}
        try:
            if given.get(SIGNS_IN, "").lower() not in ("true", "1"):
                raise BadSetting(f"{SIGNS_IN}: is not true: turn App Service authentication on, which sets it")
            if not _GUID.fullmatch(self._tenant):
                raise BadSetting(f"{TENANT}: is no tenant's id; give that of those who may sign in")
            self._roles.update(read_role_map(given.get(ROLES, "")))
            hosts.add(urlsplit(settings.console_url or "").netloc.lower())
        except BadSetting as fault:
            self._closed = f"The console is closed. {fault}"
        super().__init__(app, pages=pages, scheme="https", hosts=hosts - {""})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request for a path of the site; inside, paths are the console's own."""
        await super().__call__({**scope, "path": scope["path"][len(PREFIX) :] or "/"}, receive, send)

    async def _answer(self, request: Request) -> Response | None:
        return self._pages.error(request, 503, self._closed) if self._closed else await super()._answer(request)

    async def visitor(self, request: Request) -> Visitor | Response:
        """Return who signed in, if they have a role."""
        principal = find_principal(request.headers.get(_HEADER, ""))
        if principal is None or (id := principal.find_id(_ID_CLAIMS)) is None:
            return self._pages.error(request, 401, "Who signed in cannot be read.")
        if principal.find_id(_TENANT_CLAIMS) != self._tenant:
            return self._pages.error(request, 403, f"Who signed in is of another tenant. {_OUT} signs out.")
        called = min(principal.values("preferred_username"), default=request.headers.get(f"{_HEADER}-name", ""))
        # The id comes last: a name may be anything, and another one's tomorrow.
        name = f"{shortened(one_line(called), _LONGEST_NAME)} ({id})".strip()
        if (role := role_by(principal.values(*_ROLE_CLAIMS, principal.role_typ), self._roles)) is None:
            return self._pages.error(request, 403, f"{name} has no role here; an app role gives one. {_OUT} signs out.")
        return Visitor(name, role, _OUT)


def azure_console(open_service: Callable[[], Awaitable[Service]]) -> EasyAuth:
    """Return the console over a service, which is opened for the first who is let in."""

    @asynccontextmanager
    async def opened() -> AsyncIterator[Starlette]:
        it = await open_service()
        console = Console(it.store, it.rules, facts_of(it.rules, it.unready, Settings().console_url), it.unready)
        yield new_console(console, Pages(it.store.now, PREFIX))

    inside, pages = Lazy(opened), Pages(now, PREFIX)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        answer: ASGIApp
        try:
            answer = await inside()
        except RouterError as fault:  # rules, a setting, or the state
            answer = pages.error(Request(scope), 503, one_line(masked(str(fault))))
        await answer(scope, receive, send)

    return EasyAuth(app, pages=pages, settings=Settings())
