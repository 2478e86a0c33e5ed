"""Who asks Azure while the gate waits: only Azure, patiently, and not for ever."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from azure.core.credentials import AccessToken

from router.coverage.asking.arm import refused
from router.coverage.asking.azure import AzureQuestions
from router.coverage.asking.azure_api import PUBLIC, AzureApi, cloud_for
from router.coverage.asking.retries import ATTEMPTS, PatientSender, TimeLimit
from router.coverage.documents import CoverageDocument
from router.deliver.azure_transport import LoopbackCredential
from router.domain.conversation import HttpAnswer, HttpRequest
from router.domain.errors import Unavailable

ARM = "https://management.azure.com"
GRAPH = f"{ARM}/providers/Microsoft.ResourceGraph/resources?api-version=2022-10-01"
OK = HttpAnswer(status=200)
BUSY = HttpAnswer(status=429, headers={"retry-after": "7"})


class Time:
    """A clock that nobody waits for."""

    def __init__(self) -> None:
        self.passed = 0.0
        self.waits: list[float] = []

    def now(self) -> datetime:
        """The time of day."""
        return datetime(2026, 11, 26, tzinfo=UTC) + timedelta(seconds=self.passed)

    def seconds(self) -> float:
        """What a time limit counts."""
        return self.passed

    async def sleep(self, seconds: float) -> None:
        """Lets that much pass at once."""
        self.waits.append(seconds)
        self.passed += seconds


class Credential(LoopbackCredential):
    """Gives out tokens, each for ten minutes."""

    def __init__(self, time: Time) -> None:
        self._time = time
        self.scopes: list[str] = []

    async def get_token(self, *scopes: str, **_: Any) -> AccessToken:
        """The next token."""
        self.scopes += scopes
        return AccessToken(f"token-{len(self.scopes)}", int(self._time.now().timestamp()) + 600)


class Server:
    """Answers in order what it is told to, the last of it for ever, and remembers what it was asked."""

    def __init__(self, *answers: HttpAnswer | Unavailable) -> None:
        self._answers = list(answers)
        self.asked: list[HttpRequest] = []

    async def send(self, request: HttpRequest) -> HttpAnswer:
        """The next answer."""
        self.asked.append(request)
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, Unavailable):
            raise answer
        return answer


def patient(server: Server, time: Time, seconds: float = 300.0) -> PatientSender:
    """What asks a server patiently."""
    limit = TimeLimit(seconds, time.seconds)
    return PatientSender(server.send, limit, clock=time.now, sleep=time.sleep)


def azure(server: Server, time: Time, credential: Credential | None = None) -> AzureApi:
    """Azure as this server plays it."""
    return AzureApi(server.send, PUBLIC, credential or Credential(time), clock=time.now)


def get(url: str = f"{ARM}/subscriptions") -> HttpRequest:
    """A request."""
    return HttpRequest(method="GET", url=url)


def test_what_may_succeed_later_is_asked_again_within_the_time_limit() -> None:
    """As late as the answer asks for. A refusal is an answer; some failures are for ever. Few requests fly at a time."""
    for first in (BUSY, HttpAnswer(status=500), HttpAnswer(status=408), Unavailable("no answer")):
        time, server = Time(), Server(first, OK)
        assert asyncio.run(patient(server, time).send(get())) == OK
        assert (len(server.asked), len(time.waits)) == (2, 1)
        assert first is not BUSY or time.waits == [7.0]
    time, server = Time(), Server(BUSY)
    assert (asyncio.run(patient(server, time, seconds=7.0).send(get())), time.waits) == (BUSY, [])
    assert asyncio.run(patient(Server(BUSY, OK), time, seconds=7.1).send(get())) == OK
    for status, attempts in (*((one, 1) for one in (200, 302, 400, 401, 403, 404)), (500, ATTEMPTS)):
        server = Server(HttpAnswer(status=status))
        assert asyncio.run(patient(server, Time()).send(get())).status == status
        assert len(server.asked) == attempts
    with pytest.raises(Unavailable, match="no answer"):
        asyncio.run(patient(Server(Unavailable("no answer")), Time()).send(get()))

    async def hangs(_: HttpRequest) -> HttpAnswer:
        await asyncio.Event().wait()
        return OK

    sender = PatientSender(hangs, TimeLimit(0.01))
    with pytest.raises(Unavailable, match=r"not answered within the time limit of 0\.01 s"):
        asyncio.run(sender.send(get()))
    most = flying = 0

    async def counts(_: HttpRequest) -> HttpAnswer:
        nonlocal most, flying
        flying += 1
        most = max(most, flying)
        await asyncio.sleep(0)
        flying -= 1
        return OK

    async def ask_many() -> None:
        sender = PatientSender(counts, TimeLimit(60), at_a_time=3)
        await asyncio.gather(*(sender.send(get()) for _ in range(20)))

    asyncio.run(ask_many())
    assert most == 3


def test_a_token_is_asked_for_once_and_again_before_it_ends() -> None:
    """The library does not keep those of the Azure CLI."""
    time, server = Time(), Server(OK)
    credential = Credential(time)
    api = azure(server, time, credential)

    async def ask() -> None:
        await api.send(get())
        time.passed = 299
        await api.send(get())
        time.passed = 301
        await api.send(get())

    asyncio.run(ask())
    assert [one.headers["authorization"][-1] for one in server.asked] == ["1", "1", "2"]
    assert set(credential.scopes) == {f"{ARM}/.default"}
    # One that is refused is asked for anew once: a sign-in may have been revoked meanwhile, and another one be there.
    server = Server(HttpAnswer(status=401))
    assert asyncio.run(azure(server, Time()).send(get())).status == 401
    assert [one.headers["authorization"] for one in server.asked] == ["Bearer token-1", "Bearer token-2"]
    # That of Resource Manager does not open Log Analytics.
    credential = Credential(time)
    asyncio.run(azure(Server(OK), time, credential).send(get("https://api.loganalytics.io/v1/workspaces/w/query")))
    assert credential.scopes == ["https://api.loganalytics.io/.default"]


def test_nobody_but_azure_is_asked(subtests: pytest.Subtests) -> None:
    """Where an answer points elsewhere no token goes there. Each cloud has its endpoints, of which one says the others."""
    for url in (
        "https://management.azure.com.evil.test/subscriptions",
        "https://management.azure.com@evil.test/subscriptions",
        *("https://management.azure.com:8443/subscriptions", "http://management.azure.com/subscriptions"),
        *("https://evil.test/?https://management.azure.com/", "https://[", "//management.azure.com/", ""),
    ):
        time, server = Time(), Server(OK)
        credential = Credential(time)
        with subtests.test(url), pytest.raises(Unavailable, match="no endpoint of Azure's"):
            asyncio.run(azure(server, time, credential).send(get(url)))
        assert (server.asked, credential.scopes) == ([], [])
    assert asyncio.run(azure(Server(OK), Time()).send(get("https://Management.Azure.com:443/subscriptions"))) == OK
    us, here, logs = "https://management.usgovcloudapi.net", "http://127.0.0.1:80", "https://logs.contoso.test"
    for manager, analytics, expected in (
        *((None, None, (ARM, "https://api.loganalytics.io")), (us, None, (us, "https://api.loganalytics.us"))),
        *((here, None, (here, here)), (None, logs, (ARM, logs))),
    ):
        cloud = cloud_for(manager, analytics)
        assert (cloud.resource_manager, cloud.log_analytics) == expected


def test_what_is_asked_is_counted() -> None:
    """How far it is, is told: how many questions have ended, of how many that are known."""
    steps: list[tuple[int, int]] = []

    async def question(name: str) -> tuple[CoverageDocument, ...]:
        return (refused(name, "so"),)

    async def ask() -> list[CoverageDocument]:
        questions = AzureQuestions(Server(OK).send, PUBLIC, lambda *step: steps.append(step))
        first = await questions.ask([question("a")])
        return first + await questions.ask(question(f"{one.name}{number}") for one in first for number in (1, 2))

    assert [one.name for one in asyncio.run(ask())] == ["a", "a1", "a2"]
    assert steps == [(0, 1), (1, 1), (1, 3), (2, 3), (3, 3)]
