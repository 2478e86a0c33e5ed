"""What people may do by their role, however they signed in."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import Response

from router.app.signal_life import facts_of
from router.console.access import Access
from router.console.application import Console
from router.console.rendering import Pages
from router.console.roles import Role, Visitor, read_role_map, role_by
from router.console.views import ACTIONS, VIEWS, new_console
from router.domain.errors import BadSetting
from tests.console.sites import OWN, Site
from tests.store.acts import run
from tests.store.opened import everything_in, open_store

ADMINS = ("/dead-letters/discard", "/quarantine/discard")
"""What only an admin does; of destinations of the page lane also a hold."""


class _SignedIn(Access):
    """Lets everybody in with the role that their query names."""

    async def visitor(self, request: Request) -> Visitor | Response:
        """Return a person with that role."""
        role = Role[request.query_params["role"]]
        return Visitor(f"{role.words.lower()}@contoso.example", role)


type Ask = Callable[..., httpx.Response]


@pytest.fixture
def ask(own_site: Site) -> Iterator[Ask]:
    """What asks a console over the state of a site, as a person with a role."""
    store, pages = open_store(own_site.state.place, own_site.state.clock), Pages(own_site.state.clock)
    inside = new_console(Console(store, own_site.state.rules, facts_of(own_site.state.rules, None), ()), pages)
    transport = httpx.ASGITransport(_SignedIn(inside, pages=pages, scheme="https", hosts={"soc.example"}))
    client = httpx.AsyncClient(transport=transport, base_url="https://soc.example")

    def asked(method: str, path: str, role: Role, form: Mapping[str, str] = {}) -> httpx.Response:
        url = f"{path}{'&' if '?' in path else '?'}role={role.name}"
        return run(client.request(method, url, data=form, headers=OWN))

    yield asked
    run(client.aclose())
    run(store.close())


async def _rows(place: Path | str) -> Mapping[str, list[bytes]]:
    store = open_store(place)
    try:
        return await everything_in(store)
    finally:
        await store.close()


def test_a_role_that_is_too_low_changes_nothing(own_site: Site, ask: Ask, subtests: pytest.Subtests) -> None:
    """A reader posts nowhere; an operator discards nothing, and holds no destination that calls people."""
    before = run(_rows(own_site.state.place))
    confirmed = {"confirm": "yes", "reason": "because", "id": "ab12cd", "which": "all"}
    pager = next(one for one in own_site.document("/destinations")["destinations"] if one["lane"] == "page")
    held = {"stream": pager["stream"], "name": pager["name"], **confirmed, "for": "30m", "shown": "30m"}
    for path, role in [(one.path, Role.READER) for one in ACTIONS] + [(path, Role.OPERATOR) for path in ADMINS]:
        with subtests.test(path, role=role.words):
            answer = ask("POST", re.sub(r"\{\w+\}", "ab12cd", path), role, confirmed)
            assert answer.status_code == 403
            assert f"has {role.words}" in answer.text
    assert ask("POST", "/destinations/hold", Role.OPERATOR, held).status_code == 403
    assert run(_rows(own_site.state.place)) == before
    assert ask("POST", "/destinations/hold", Role.ADMIN, held).status_code == 303


def test_who_acts_is_on_record_by_the_name_they_signed_in_with(ask: Ask) -> None:
    """The author is never read from a form."""
    form = {
        "confirm": "yes",
        "reason": "maintenance",
        "stream": "cwpp",
        "host": "web-lin-01",
        "for": "1h",
        "author": "eve",
    }
    assert ask("POST", "/silences/new", Role.OPERATOR, form).status_code == 303
    changes = ask("GET", "/changes.json", Role.READER).json()
    assert "operator@contoso.example" in changes["authors"]
    assert "eve" not in changes["authors"]


def test_a_page_offers_only_what_its_reader_may_do(own_site: Site, ask: Ask, subtests: pytest.Subtests) -> None:
    """A reader is shown no button that changes something, and every page says who reads it."""
    for view in VIEWS:
        path = own_site.state.url(view.path)
        if view.path == "/silences/new":
            continue
        with subtests.test(view.path):
            page = ask("GET", path, Role.READER).text
            forms = re.findall(r'<form method="post".*?</form>', page, re.DOTALL)
            assert "<button" not in "".join(forms)
            assert "reader@contoso.example, Reader" in page
            assert "/silences/new" not in page


def test_the_role_map_gives_the_highest_role_of_all_claims() -> None:
    """Claims that it does not name give none."""
    roles = read_role_map("Reader=soc, Operator=oncall,Operator=tier2, Admin=soc-lead, Reader=oncall")
    assert role_by(["soc", "oncall", "other"], roles) is Role.OPERATOR
    assert role_by(["soc-lead", "soc"], roles) is Role.ADMIN
    assert role_by(["Admin", "admin", ""], roles) is None


@pytest.mark.parametrize("written", ["", " , ", "Owner=soc", "Reader", "Reader=", "=soc", "reader=soc"])
def test_a_role_map_that_gives_no_role_is_refused_by_name(written: str) -> None:
    """Nothing of it is guessed: a wrong role would let people do what they may not."""
    with pytest.raises(BadSetting, match="ALERT_ROUTER_CONSOLE_ROLES: "):
        read_role_map(written)
