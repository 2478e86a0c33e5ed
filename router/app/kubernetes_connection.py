"""The connection to the API server of one context: whom it trusts, who asks, and that nothing else is ever asked."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Awaitable, Callable
from dataclasses import replace

from router.app.credential_plugins import run_plugin
from router.app.kubeconfig_files import read_beside, read_pem
from router.app.kubernetes_tls import present_certificate, trust_in
from router.app.patience import PatientSender, TimeLimit
from router.app.settings import Settings
from router.coverage.live.credential_plugins import Credential, cluster_info
from router.coverage.live.kubeconfig import ClusterAccess
from router.deliver.http import Http, find_untrusted
from router.domain.conversation import HttpAnswer, HttpRequest
from router.domain.errors import BadFile, Unavailable

LONGEST_ANSWER = 64 * 1024 * 1024
"""Bytes of an answer that are read: a page has 500 objects, and a pod has some 20 KB."""

_TIMEOUT = 60.0
"""Seconds for one request."""

_UNKNOWN_USER = 401


class ClusterConnection:
    """Asks one API server, as the user of its context, patiently, one question after the other.

    `signing_in` is held while a credential plugin runs: two that ask somebody at the terminal would hear one answer.
    """

    def __init__(
        self,
        access: ClusterAccess,
        settings: Settings,
        limit: TimeLimit,
        signing_in: asyncio.Lock,
        *,
        longest: int = LONGEST_ANSWER,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._access = access
        self._settings = settings
        self._limit = limit
        self._signing_in = signing_in
        self._longest = longest
        self._sleep = sleep
        self._where = f"context {access.context}"
        self._http: Http | None = None
        self._authorization: str | None = None
        self._may_sign_in_anew = access.user.plugin is not None

    @property
    def server(self) -> str:
        """The URL of the API server."""
        return self._access.server

    async def open(self) -> None:
        """Signs in; raises BadFile where that cannot be done."""
        access, user = self._access, self._access.user
        authority = None if access.authority is None else read_pem(access.authority, self._where)
        context = trust_in(authority, self._settings, self._where)
        credential = await self._ask_plugin(authority)
        pair = credential.certificate
        if pair is None and user.certificate is not None and user.key is not None:
            pair = (read_pem(user.certificate, self._where), read_pem(user.key, self._where))
        if pair is not None:
            present_certificate(context, *pair, self._where)
        self._authorization = self._authorization_by(credential)
        http = Http(context, timeout=_TIMEOUT, longest=self._longest, server_name=access.tls_name)
        self._http = await http.__aenter__()

    async def close(self) -> None:
        """Closes what is open."""
        if self._http is not None:
            await self._http.__aexit__(None, None, None)
            self._http = None

    async def send(self, request: HttpRequest) -> HttpAnswer:
        """The answer, whatever its status; raises Unavailable where none came, or this API server is not to be asked that.

        Where it does not know who asks, the credential may have ended: the plugin is asked once more.
        """
        if request.method != "GET" or not request.url.startswith(f"{self._access.server}/"):
            raise Unavailable("this is no question to the API server of this context, and was not asked")
        answer = await self._ask(request)
        if answer.status == _UNKNOWN_USER and self._may_sign_in_anew:
            self._may_sign_in_anew = False
            await self.close()
            try:
                await self.open()
            except BadFile as fault:
                raise Unavailable(str(fault)) from fault
            answer = await self._ask(request)
        if len(answer.body) >= self._longest:
            raise Unavailable(f"the answer is longer than {self._longest:,} bytes")
        return answer

    async def _ask(self, request: HttpRequest) -> HttpAnswer:
        if self._http is None:
            raise Unavailable("nobody is signed in")
        said = {} if self._authorization is None else {"authorization": self._authorization}
        patient = PatientSender(self._http.send, self._limit, sleep=self._sleep)
        try:
            return await patient.send(replace(request, headers={**request.headers, **said}))
        except Unavailable as fault:
            untrusted = find_untrusted(fault)
            if untrusted is None:
                raise
            raise Unavailable(
                f"its certificate is not trusted ({untrusted}); mend certificate-authority-data"
            ) from fault

    async def _ask_plugin(self, authority: bytes | None) -> Credential:
        access, plugin = self._access, self._access.user.plugin
        if plugin is None:
            return Credential()
        info = cluster_info(access.server, access.tls_name, authority, access.plugin_config)
        async with self._signing_in:
            return await run_plugin(plugin, info, self._settings.values, self._where)

    def _authorization_by(self, credential: Credential) -> str | None:
        user = self._access.user
        if user.login is not None:
            return f"Basic {base64.b64encode(':'.join(user.login).encode()).decode()}"
        token = credential.token
        if user.token_file is not None:
            token = read_beside(user.token_file, self._where).decode("utf-8", "replace").strip()
        token = token or user.token
        if token is None:
            return None
        if not token.isascii() or not token.isprintable() or " " in token:
            raise BadFile(f"{self._where}: its token holds what no token does; write it anew")
        return f"Bearer {token}"
