"""Who signed in, by an issuer of OpenID Connect: what begins a session, and what ends it."""

from __future__ import annotations

import logging
import re
from asyncio import Lock, Semaphore
from datetime import datetime, timedelta
from hashlib import sha256
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp

from router.app import openid
from router.app.openid import Provider, SignInAttempt, SignInFailed
from router.app.settings import SignIn
from router.console.access import SAFE, Access, new_token
from router.console.rendering import Pages
from router.console.roles import Role, Visitor, read_role_map, role_by
from router.deliver.http import Http
from router.destinations.wording.masking import masked
from router.domain.conversation import Asking
from router.domain.errors import StoreError, Unavailable
from router.domain.readable import one_line
from router.store.sessions import COARSE, LONGEST, Session, begin_session, end_session, find_session, note_seen
from router.store.store import Store

_AGAIN, _STALE = timedelta(minutes=1), timedelta(hours=1)
"""After how long an issuer is asked about itself again, at the earliest and at the latest: keys are taken back, too."""

_AT_ONCE = 4
"""How many requests it gets at a time: a stranger may come back with any code, and each is asked about."""

_ATTEMPT = timedelta(minutes=10)
"""How long a person may take to sign in."""

_BEGIN, _RETURN, _END = "/sign-in", "/sign-in/return", "/sign-out"
_LOG = logging.getLogger(__name__)


class Issuer:
    """An issuer, and what it last said of itself. It is asked about that once a minute at most, whoever comes with whatever."""

    def __init__(self, to: SignIn, http: Http, store: Store) -> None:
        self.to, self._http, self._clock = to, http, store.now
        self._provider: Provider | None = None
        self._asked: datetime | None = None
        self._lock, self._few = Lock(), Semaphore(_AT_ONCE)

    async def provider(self, good_for: timedelta = _STALE) -> Provider:
        """Return what it says of itself, asking it where that was too long ago; raises SignInFailed."""
        async with self._lock:
            age = self._clock() - self._asked if self._asked is not None else None
            if age is None or not timedelta() <= age < (good_for if self._provider is not None else _AGAIN):
                self._asked, self._provider = self._clock(), None
                self._provider = await self.ask(openid.ask_provider(self.to.issuer))
            if self._provider is None:
                raise SignInFailed("The issuer could not be asked just now; try again in a minute.", 502)
            return self._provider

    async def ask[T](self, asking: Asking[T]) -> T:
        """Carry out what asks it; raises SignInFailed, also where it does not answer."""
        try:
            request = next(asking)
            while True:
                async with self._few:
                    answer = await self._http.send(request)
                request = asking.send(answer)
        except StopIteration as end:
            found: T = end.value
            return found
        except Unavailable as fault:
            raise SignInFailed(f"The issuer cannot be asked now: {fault}.", 502) from fault


class SignedIn(Access):
    """Lets people in who signed in at an issuer; what it said of them counts as long as their session."""

    def __init__(self, app: ASGIApp, *, pages: Pages, store: Store, to: SignIn, http: Http) -> None:
        url = urlsplit(to.url)
        names = {url.netloc.lower(), *([f"{url.hostname}:443", str(url.hostname)] if url.port in (None, 443) else [])}
        super().__init__(app, pages=pages, scheme=url.scheme, hosts=names)
        self._store, self._issuer, self._to, self._roles = store, Issuer(to, http, store), to, read_role_map(to.roles)
        # A cookie with that prefix a browser takes from this very host alone, and by https; it knows no port.
        self._is_secure, self._back = url.scheme == "https", f"{to.url}{_RETURN}"
        self._cookie = f"{'__Host-' if self._is_secure else ''}alert-router{f'-{url.port}' if url.port else ''}"

    async def visitor(self, request: Request) -> Visitor | Response:
        """Return who makes a request in a session, or the answer to who has none, signs in or signs out."""
        try:
            return await self._visitor(request)
        except StoreError as fault:
            _LOG.warning("sign-in: %s", one_line(masked(str(fault))))
            return self._pages.error(request, 503, "Who you are cannot be looked up now; the program's log says why.")

    async def _visitor(self, request: Request) -> Visitor | Response:
        path, cookie = request.url.path, request.cookies.get(self._cookie, "")
        async with self._store.session() as tx:
            session = await find_session(tx, _digest(cookie)) if cookie else None
        if request.method in SAFE and path in (_BEGIN, _RETURN):
            try:
                return await (self._begin(request) if path == _BEGIN else self._sign_in(request))
            except SignInFailed as fault:
                if fault.status != 400:  # which a stranger can bring about as often as they like
                    _LOG.warning("sign-in: %s", fault)
                return self._page(request, "Not signed in", str(fault), fault.status)
        if path == _END:
            return await self._sign_out(request, session)
        if session is None or (role := Role.__members__.get(session.role.upper())) is None:
            return self._unknown(request)
        # A list that loads itself again is no person at work.
        if _is_navigation(request) and self._store.now() - session.seen >= COARSE:
            await self._store.run(lambda tx: note_seen(tx, session.id))
        return Visitor(session.name, role, self._pages.path(_END))

    async def _begin(self, request: Request) -> Response:
        # One for all that a browser begins: pages that it opens at once sign in side by side.
        secret = request.cookies.get(f"{self._cookie}-sign-in", "")
        secret = secret if re.fullmatch(r"[\w-]{43}", secret, re.ASCII) else new_token()
        attempt = SignInAttempt.of(secret, new_token(), openid.own_path(request.query_params.get("to", "")))
        provider = await self._issuer.provider()
        answer = RedirectResponse(openid.authorization_url(provider, self._to, attempt, self._back), 303)
        return self._with_cookie(answer, "-sign-in", secret, _ATTEMPT)

    async def _sign_in(self, request: Request) -> Response:
        query, secret = request.query_params, request.cookies.get(f"{self._cookie}-sign-in", "")
        attempt, path = SignInAttempt.named_by(query.get("state", ""), secret)
        if not (code := query.get("code")) or query.get("iss", self._to.issuer) != self._to.issuer:
            raise SignInFailed("The issuer let nobody in.", 400)
        provider = await self._issuer.provider()
        token = await self._issuer.ask(openid.ask_token(provider, self._to, attempt, code, self._back))
        now, id = self._store.now(), new_token()
        try:
            person = openid.verified(token, provider, self._to, attempt, now)
        except openid.KeyUnknown:
            person = openid.verified(token, await self._issuer.provider(_AGAIN), self._to, attempt, now)
        if (role := role_by(person.claims, self._roles)) is None:
            raise SignInFailed(f"{person.name} has no role here: who runs this console gives roles.", 403)
        session = Session(
            id=_digest(id),
            attempt=_digest(attempt.state),
            name=person.name,
            subject=person.subject,
            role=role.words,
            since=now,
            seen=now,
            until=now + LONGEST,
        )
        if not await self._store.run(lambda tx: begin_session(tx, session)):
            raise SignInFailed("That sign-in was made use of before.")
        _LOG.info("%s signed in as %s", person.name, role.words)
        return self._with_cookie(RedirectResponse(self._pages.path(path), 303), "", id, LONGEST)

    async def _sign_out(self, request: Request, session: Session | None) -> Response:
        if session is None:
            return self._page(request, "Signed out", "Nobody is signed in here in this browser.")
        if request.method in SAFE:
            words = f"{session.name} is signed in. The issuer may let the same person in again without a question."
            return self._page(request, "Sign out?", words, is_known=True)
        await self._store.run(lambda tx: end_session(tx, session.id))
        return RedirectResponse(self._pages.path(_END), 303)

    def _unknown(self, request: Request) -> Response:
        """Return the answer to who has no session: only a page that a person goes to leads to the sign-in."""
        if request.url.path.endswith(".json"):
            return self._pages.error(request, 401, "Nobody is signed in.")
        if request.method in SAFE and _is_navigation(request):
            to = b"?".join(filter(None, (request.scope["raw_path"], request.scope["query_string"])))
            return RedirectResponse(self._pages.path(_BEGIN, to=to.decode("latin-1")), 303)
        words = "Nothing was changed: sign in, and fill the form in again."
        answer = self._page(request, "The session is over", words, 401)
        answer.headers["hx-refresh"] = "true"  # for a list that loads itself again
        return answer

    def _page(self, request: Request, title: str, words: str, code: int = 200, *, is_known: bool = False) -> Response:
        document = {"title": title, "words": words, "is_known": is_known}
        return self._pages.render(request, "sign_in.html", document, code)

    def _with_cookie(self, answer: Response, name: str, value: str, lasts: timedelta) -> Response:
        # Lax: who comes back from the issuer comes from another site, and a strict cookie would not come along.
        name, seconds = f"{self._cookie}{name}", int(lasts.total_seconds())
        answer.set_cookie(name, value, seconds, secure=self._is_secure, httponly=True, samesite="lax")
        return answer


def _is_navigation(request: Request) -> bool:
    """Return whether a person goes to a page, as far as the browser says."""
    return request.headers.get("sec-fetch-mode", "navigate") == "navigate"


def _digest(id: str) -> str:
    return sha256(id.encode("utf-8", "surrogatepass")).hexdigest()
