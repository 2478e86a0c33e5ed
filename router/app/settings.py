"""The only reader of the environment, and the machine's clock."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from msgspec import field

from router.domain.decisions import Outcome
from router.domain.errors import BadSetting
from router.domain.proxies import NO_PROXY, PROXY, Proxy, parse_proxy
from router.domain.urls import is_example, is_loopback, split_url
from router.domain.values import Value, repr_without
from router.store.conninfo import FORM, PostgresqlAddress, parse_state
from router.store.retention import DAYS, Retention

STORAGE = "AzureWebJobsStorage"
"""The setting of the storage account of the Functions host, whose identity is the router's, too."""

STATE = "ALERT_ROUTER_STATE"
"""The setting of where the state is, for which no command line says it. It may hold a password."""

HUBS = "EVENT_HUBS"
"""The setting of the Event Hubs namespace."""

HEARTBEAT = "ALERT_ROUTER_DRILL_HEARTBEAT"
"""The setting of the address that is called when a drill passed. It is a secret: knowing it is enough to call it."""

CONSOLE = "ALERT_ROUTER_CONSOLE_URL"
"""The setting of where people reach the console."""

ISSUER = "ALERT_ROUTER_CONSOLE_ISSUER"
"""The setting of who says who people are that open the console: an issuer of OpenID Connect, by its URL."""

_CLIENT, _CLIENT_SECRET = "ALERT_ROUTER_CONSOLE_CLIENT_ID", "ALERT_ROUTER_CONSOLE_CLIENT_SECRET"

ROLES = "ALERT_ROUTER_CONSOLE_ROLES"
"""The setting of which role in the console a person has by what their sign-in says of them."""

_RETENTION = "ALERT_ROUTER_RETENTION"

_UNRESOLVED = "@Microsoft.KeyVault("
"""How a setting begins whose secret is not in the vault, or cannot be read: the reference itself stands there.
https://learn.microsoft.com/azure/app-service/app-service-key-vault-references#troubleshooting-key-vault-references"""

type Clock = Callable[[], datetime]

_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?")


def now() -> datetime:
    """Return the machine's time."""
    return datetime.now(UTC)


class Why(StrEnum):
    """Why something that a destination needs cannot be used, in words that follow its name."""

    MISSING = "is missing"
    REFERENCE = "is still a reference to Key Vault"
    NOT_INSTALLED = "is not installed"
    EXAMPLE = "ends in .example, which is never asked"
    UNFIT = "holds what its place in the rules does not take"
    SHARED = "leads to where the other stream writes, and streams share no destination"


class Lack(Value, order=True):
    """Something that a destination needs and that cannot be used.

    Its name is that of an app setting, of what would have to be installed, or of a host. It is never a value.
    """

    name: str
    why: Why

    def __str__(self) -> str:
        return f"{self.name} {self.why}"


class HubConnection(Value):
    """How an Event Hubs namespace is reached: by a connection string, for a local stack only, or by identity at a host.

    Without a client id the system-assigned identity is used, or the developer's own.
    """

    connection_string: str | None = None
    namespace: str | None = None
    client_id: str | None = None

    __repr__ = repr_without("connection_string")


class LookedUp(Value):
    """The values of some app settings by name, and the settings that hold nothing yet."""

    values: Mapping[str, str]
    lacks: tuple[Lack, ...] = ()

    __repr__ = repr_without("values")


class SignIn(Value, kw_only=True):
    """How people sign in to a console that others can reach.

    Attributes:
        url: where they reach it, without a path.
        issuer: who says who they are, as it calls itself.
        client_id: what the console is called there; with `client_secret`, where it has one, it proves that.
        roles: which claims give which role, as the setting has it.
    """

    url: str
    issuer: str
    client_id: str
    client_secret: str | None
    roles: str

    __repr__ = repr_without("client_secret")


class Settings(Value):
    """App settings by name; in Azure those that hold a secret are Key Vault references.

    Connections are written as Functions does:
    https://learn.microsoft.com/azure/azure-functions/functions-reference#configure-an-identity-based-connection
    """

    values: Mapping[str, str] = field(default_factory=lambda: os.environ)

    __repr__ = repr_without("values")

    @property
    def ca_file(self) -> str | None:
        """A file of certificate authorities to trust beside the system's: ALERT_ROUTER_CA_FILE."""
        return self._find("ALERT_ROUTER_CA_FILE")

    @property
    def proxy(self) -> Proxy | None:
        """The proxy to what is beyond this machine, as ALERT_ROUTER_PROXY and ALERT_ROUTER_NO_PROXY say; raises BadSetting."""
        if (written := self._find(PROXY)) is None:
            return None
        _refuse_reference(PROXY, written)
        proxy = parse_proxy(written, self._find(NO_PROXY) or "")
        _refuse_example(PROXY, urlsplit(proxy.url).hostname)
        return proxy

    @property
    def state(self) -> Path | PostgresqlAddress | None:
        """Where the state is: ALERT_ROUTER_STATE; raises BadSetting, without what it holds."""
        written = self._find(STATE)
        if written is None:
            return None
        _refuse_reference(STATE, written)
        try:
            return parse_state(written)
        except ValueError as fault:
            raise BadSetting(f"{STATE}: {fault}") from None

    @property
    def state_named(self) -> Path | PostgresqlAddress:
        """The same, where no command line can say it; raises BadSetting also where nothing does."""
        if (found := self.state) is None:
            raise BadSetting(f"{STATE}: is not set; name the database of the state, as {FORM}, or a directory")
        return found

    @property
    def rules(self) -> Path | None:
        """The directory of the rules: ALERT_ROUTER_RULES."""
        found = self._find("ALERT_ROUTER_RULES")
        return Path(found) if found is not None else None

    @property
    def resource_manager(self) -> str | None:
        """The endpoint of Azure Resource Manager, where it is not the public cloud's: ALERT_ROUTER_RESOURCE_MANAGER."""
        return self._endpoint("ALERT_ROUTER_RESOURCE_MANAGER")

    @property
    def log_analytics(self) -> str | None:
        """The endpoint of the query API of Log Analytics, where it is not the cloud's own: ALERT_ROUTER_LOG_ANALYTICS."""
        return self._endpoint("ALERT_ROUTER_LOG_ANALYTICS")

    @property
    def kubeconfigs(self) -> tuple[Path, ...]:
        """The kubeconfig files: those that KUBECONFIG lists, else that of kubectl in the home directory."""
        listed = [part for part in self.values.get("KUBECONFIG", "").split(os.pathsep) if part]
        try:
            return tuple(map(Path, dict.fromkeys(listed))) or (Path("~/.kube/config").expanduser(),)
        except RuntimeError:  # the user has no home directory
            return ()

    @property
    def heartbeat(self) -> str | None:
        """The address that is called when a drill passed: ALERT_ROUTER_DRILL_HEARTBEAT; raises BadSetting, without it."""
        if (written := self._find(HEARTBEAT)) is not None:
            _secure_url(HEARTBEAT, written, "")
        return written

    @property
    def console_url(self) -> str | None:
        """Where people reach the console: ALERT_ROUTER_CONSOLE_URL; raises BadSetting, without it: it may hold a token."""
        if (written := self._find(CONSOLE)) is None:
            return None
        if (url := _secure_url(CONSOLE, written, "")).query or url.fragment:
            raise BadSetting(f"{CONSOLE}: has more than a path; give https://HOST/PATH")
        return written.rstrip("/")

    @property
    def console_sign_in(self) -> SignIn | None:
        """How people sign in to the console: ALERT_ROUTER_CONSOLE_ISSUER, and what that needs; None without an issuer.

        Raises BadSetting, where what it needs is missing, or cannot be used.
        """
        if (issuer := self._find(ISSUER)) is None:
            return None
        if (at := _secure_url(ISSUER, issuer, "")).query or at.fragment:
            raise BadSetting(f"{ISSUER}: has more than a path; give the issuer as its discovery document has it")
        values = {name: self._find(name) for name in (CONSOLE, _CLIENT, ROLES)}
        for name, value in values.items():
            if value is None:
                raise BadSetting(f"{name}: is not set; who signs in at {ISSUER} needs it")
        url, secret = self.console_url or "", self._find(_CLIENT_SECRET)
        if urlsplit(url).path:
            raise BadSetting(f"{CONSOLE}: has a path; who signs in needs a console with a host of its own")
        _refuse_reference(_CLIENT_SECRET, secret or "")
        return SignIn(
            url=url, issuer=issuer, client_id=values[_CLIENT] or "", client_secret=secret, roles=values[ROLES] or ""
        )

    @property
    def is_functions_app(self) -> bool:
        """Whether this process runs in a function app, which the host says in its environment.

        https://learn.microsoft.com/azure/azure-functions/functions-app-settings#functions_worker_runtime
        """
        return any(self._find(name) is not None for name in ("FUNCTIONS_WORKER_RUNTIME", "WEBSITE_INSTANCE_ID"))

    @property
    def lease(self) -> timedelta | None:
        """How long a claim is one worker's alone, in every lane: ALERT_ROUTER_LEASE, in seconds."""
        return self._seconds("ALERT_ROUTER_LEASE")

    @property
    def grace(self) -> timedelta | None:
        """How long an event may be missing before it is read again: ALERT_ROUTER_GRACE, in seconds."""
        return self._seconds("ALERT_ROUTER_GRACE")

    @property
    def at_a_time(self) -> int | None:
        """How many sends at a time one worker makes to one destination at most: ALERT_ROUTER_AT_A_TIME."""
        written = self._find("ALERT_ROUTER_AT_A_TIME")
        if written is None:
            return None
        if not re.fullmatch(r"[1-6]", written):
            raise BadSetting(f"ALERT_ROUTER_AT_A_TIME: {written!r} is no number from 1 to 6")
        return int(written)

    @property
    def retention(self) -> Retention:
        """How long decisions stay on record, by their outcome: ALERT_ROUTER_RETENTION, such as `below_floor=30, routed=365`."""
        written = self._find(_RETENTION)
        if written is None:
            return Retention()
        days: dict[Outcome, timedelta] = {}
        for part in filter(str.strip, written.split(",")):
            outcome, age = _days_in(part)
            if outcome in days:
                raise BadSetting(f"{_RETENTION}: {outcome}: is there twice; say its days once")
            days[outcome] = age
        return Retention(decisions={**DAYS, **days})

    @property
    def identity(self) -> str | None:
        """The client id of the user-assigned identity: that of the host itself. Without it AZURE_CLIENT_ID counts."""
        return self._find(f"{STORAGE}__clientId")

    @property
    def hubs(self) -> HubConnection:
        """The Event Hubs namespace; raises BadSetting where nothing says where it is."""
        name, client_id = f"{HUBS}__fullyQualifiedNamespace", self._find(f"{HUBS}__clientId")
        namespace = self._find(name)
        if namespace is not None and not _HOST.fullmatch(namespace):
            raise BadSetting(f"{name}: {namespace!r} is no host name, such as NAME.servicebus.windows.net")
        _refuse_example(name, namespace)
        if (connection_string := self._find(HUBS)) is not None:
            for host in _hosts_in(connection_string):
                _refuse_example(HUBS, host)
            return HubConnection(connection_string)
        if namespace is None:
            raise BadSetting(f"{HUBS}: is not set; set {name}, or for a local stack {HUBS}")
        return HubConnection(namespace=namespace, client_id=client_id)

    def look_up(self, names: Iterable[str]) -> LookedUp:
        """What settings of those names hold, secrets among them, and which of them hold nothing yet."""
        # `echo` stores a line end with a secret, which no header may hold.
        held = {name: self.values.get(name, "").strip() for name in sorted(set(names))}
        lacks = [
            Lack(name, Why.REFERENCE if value else Why.MISSING)
            for name, value in held.items()
            if not value or value.startswith(_UNRESOLVED)
        ]
        missing = {lack.name for lack in lacks}
        return LookedUp({name: value for name, value in held.items() if name not in missing}, tuple(lacks))

    def _find(self, name: str) -> str | None:
        return self.values.get(name, "").strip() or None

    def _endpoint(self, name: str) -> str | None:
        """An address of a host alone."""
        if (written := self._find(name)) is None:
            return None
        url = _secure_url(name, written, f"{written!r} ")
        if url.path not in ("", "/") or url.query or url.fragment:
            raise BadSetting(f"{name}: {written!r} has more than a host; give https://HOST")
        return f"{url.scheme}://{url.netloc.lower()}"

    def _seconds(self, name: str) -> timedelta | None:
        written = self._find(name)
        if written is None:
            return None
        try:
            seconds = float(written)
        except ValueError:
            seconds = -1.0
        if not 0 < seconds <= 24 * 3600:
            raise BadSetting(f"{name}: {written!r} is no number of seconds above 0 and up to a day")
        return timedelta(seconds=seconds)


def forget_libpq() -> None:
    """Takes from this process's environment what libpq would read there, some of it whatever it is told: PGSERVICE, PGTZ."""
    for name in [name for name in os.environ if name.startswith("PG")]:
        del os.environ[name]


def _refuse_reference(name: str, written: str) -> None:
    if written.startswith(_UNRESOLVED):
        raise BadSetting(f"{name}: {Why.REFERENCE}, which cannot be read")


def _secure_url(name: str, written: str, quoted: str) -> SplitResult:
    """The parts of a URL to which secrets go, so that it is https, or on this machine; errors begin with what is quoted."""
    try:
        url = split_url(written)
    except ValueError as fault:
        raise BadSetting(f"{name}: {quoted}{fault}") from None
    if url.scheme != "https" and not is_loopback(url.hostname or ""):
        raise BadSetting(f"{name}: {quoted}must be an https URL; http is for loopback only")
    _refuse_example(name, url.hostname)
    return url


def _days_in(written: str) -> tuple[Outcome, timedelta]:
    """The outcome and the age that a part of the retention's setting names."""
    name, _, days = (part.strip() for part in written.partition("="))
    if name not in set(Outcome):
        raise BadSetting(f"{_RETENTION}: {name!r} is no outcome; one of {', '.join(Outcome)}")
    if not re.fullmatch(r"[1-9][0-9]{0,3}", days):
        raise BadSetting(f"{_RETENTION}: {name}: {days!r} is no number of days from 1 to 9999")
    return Outcome(name), timedelta(days=int(days))


def _hosts_in(connection_string: str) -> list[str | None]:
    """The hosts that a connection string names, and the end that it gives to others."""
    pairs = [part.partition("=")[::2] for part in connection_string.split(";")]
    suffixes = [value for name, value in pairs if name.strip().lower() == "endpointsuffix"]
    return [*(_find_host(value.strip()) for _, value in pairs if "://" in value), *suffixes]


def _find_host(url: str) -> str | None:
    try:
        return urlsplit(url).hostname
    except ValueError:  # the client that opens it says so
        return None


def _refuse_example(name: str, host: str | None) -> None:
    if host is not None and is_example(host.strip()):
        raise BadSetting(f"{name}: {host!r} ends in .example, which is nobody's and never asked; name your own")
