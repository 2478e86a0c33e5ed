"""A double of Azure Monitor's Logs Ingestion API, over TLS; it deduplicates nothing.

https://learn.microsoft.com/azure/azure-monitor/logs/logs-ingestion-api-overview
"""

from collections import Counter, defaultdict, deque
from collections.abc import Iterable
from typing import Any

import orjson
from aiohttp import web

from alert_router_demo.soc.accounts import SocAccount
from alert_router_demo.soc.endpoint import Endpoint

BODY_LIMIT = 1024 * 1024  # bytes of an uncompressed body
LOOPBACK_TOKEN = "loopback"  # what the router shows to an endpoint on its own machine, which is no secret
API_VERSIONS = ("2023-01-01", "2021-11-01-preview")


class LogsIngestion(Endpoint):
    """A data collection endpoint that accepts any rule and any stream.

    Attributes:
        rows: the newest `keep` rows of each stream.
        counts: how many rows each stream got.
        counts_by_account: how many rows each account wrote.
        duplicates: how many rows came under an `EventUid` that their stream had already.
    """

    name = "logs"
    holds = "rows"

    def __init__(self, accounts: Iterable[SocAccount], *, keep: int = 10_000) -> None:
        super().__init__()
        self._accounts = {f"Bearer {account.logs_token}": account.name for account in accounts}
        self._accounts[f"Bearer {LOOPBACK_TOKEN}"] = LOOPBACK_TOKEN
        self.rows: dict[str, deque[Any]] = defaultdict(lambda: deque(maxlen=keep))
        self.counts: Counter[str] = Counter()
        self.counts_by_account: Counter[str] = Counter()
        self._uids: dict[str, set[str]] = defaultdict(set)
        self.duplicates = 0

    def count(self) -> int:
        """Gives how many rows all streams got."""
        return sum(self.counts.values())

    def routes(self) -> Iterable[web.RouteDef]:
        """Gives the upload's path."""
        return (web.post("/dataCollectionRules/{rule}/streams/{stream}", self._upload),)

    def error_body(self, status: int, message: str) -> Any:
        """Gives `{"error": {"code", "message"}}`."""
        codes = {401: "InvalidToken", 403: "OperationFailed", 413: "ContentLengthLimitExceeded", 429: "TooManyRequests"}
        return {"error": {"code": codes.get(status, "InvalidRequest"), "message": message}}

    async def _upload(self, request: web.Request) -> web.Response:
        account = self._accounts.get(request.headers.get("Authorization", ""))
        # aiohttp has undone the gzip by now, so that this is the uncompressed body, as Azure counts it.
        raw = await request.read()
        if account is None:
            return self.error(401, "The authentication token is missing or not valid.")
        if request.query.get("api-version") not in API_VERSIONS:
            return self.error(400, "The api-version is missing or not supported.")
        if len(raw) > BODY_LIMIT:
            return self.error(413, f"Maximum allowed content length: {BODY_LIMIT} bytes (1 MB).")
        try:
            rows = orjson.loads(raw)
        except orjson.JSONDecodeError:
            return self.error(400, "The body is not valid JSON.")
        # Azure answers 204 to a body that is no array, and no row ever appears (azure-sdk-for-python issue 32562).
        if isinstance(rows, list):
            self._take(request.match_info["stream"], account, rows)
        return web.Response(status=204)

    def _take(self, stream: str, account: str, rows: list[Any]) -> None:
        self.rows[stream].extend(rows)
        self.counts[stream] += len(rows)
        self.counts_by_account[account] += len(rows)
        uids = [row["EventUid"] for row in rows if isinstance(row, dict) and isinstance(row.get("EventUid"), str)]
        seen = self._uids[stream]
        before = len(seen)
        seen.update(uids)
        self.duplicates += len(uids) - (len(seen) - before)
