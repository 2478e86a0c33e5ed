"""A signal's page and its JSON: what both say, what they keep back, and what is on record of who saw more."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import orjson
import pytest

from benchmarks.virtual import Clock, VirtualRouter
from router.app.notice_preview import read_last_notice
from router.app.rules import Rules
from router.app.signal_document import life_document
from router.app.signal_life import facts_of, read_life, with_active_silences
from router.app.signal_search import Meant
from router.domain.keys import signal_key
from router.domain.signals import Stream
from router.rulebook import read_rules_file
from router.rulebook.silence_scope import WrittenScope, read_silence_scope
from router.store.changes import list_changes
from router.store.store import Store
from tests.builders import NOW, alert_body
from tests.console.sites import CONSOLE, HtmlReader, Site, own_links_of, served, text_of
from tests.console.states import PRODUCTION, RULE, new_state
from tests.docs.pages import page, spans
from tests.store.acts import ask, run
from tests.store.opened import open_store

SECRET = "AKIAIOSFODNN7EXAMPLE"
PROMPT = "how do I get into the payroll of Contoso"
PORTAL = "https://portal.azure.com/#blade/Microsoft_Azure_Security_AzureDefenderForData/AlertBlade"
MODEL = f"/subscriptions/{PRODUCTION}/resourceGroups/rg-ai/providers/Microsoft.CognitiveServices/accounts/oai-1"
AI = signal_key(Stream.CWPP, "alert", "ai")
LEAKING = signal_key(Stream.CWPP, "alert", "leaking")
HELD = signal_key(Stream.CWPP, "alert", "held")


async def fill_secret(store: Store, rules: Rules, clock: Clock) -> Mapping[str, str]:
    """Take in an alert about AI that quotes a prompt, one that leaks a key, and one that a rule holds, which leaks it, too."""
    router = VirtualRouter(store, rules, clock)
    asked = {
        "AlertType": "AI.Azure_Jailbreak.ContentFiltering.BlockedAttempt",
        "AlertDisplayName": "A jailbreak was tried",
    }
    told = {"Description": PROMPT, "ExtendedProperties": {"User prompt": PROMPT}, "AzureResourceId": MODEL}
    database = f"/subscriptions/{PRODUCTION}/resourceGroups/rg-data/providers/Microsoft.Sql/servers/s/databases/d"
    there = [{"Type": "azure-resource", "ResourceId": database}, {"Type": "ip", "Address": "10.20.0.5"}]
    await router.take(
        Stream.CWPP,
        [
            alert_body("ai", ProductComponentName="AI", **asked, **told),
            alert_body(
                "leaking", AlertDisplayName=f"aws_access_key_id={SECRET} was used", Description=SECRET, AlertUri=PORTAL
            ),
            alert_body(
                "held",
                AlertType="SQL.DB_BruteForce",
                AzureResourceId=database,
                Entities=there,
                Description=f"{SECRET} was tried",
                AlertUri=PORTAL,
            ),
        ],
    )
    await router.deliver()
    return {}


@pytest.fixture
def secret_site(tmp_path: Path, rules_for: Callable[[str], Rules]) -> Iterator[Site]:
    """A console over signals of which a page may not show everything."""
    with served(run(new_state(tmp_path / "state", rules_for("busy"), fill_secret))) as site:
        yield site


def standing(site: Site, query: str = "") -> list[str]:
    """The keys of the alerts that stand."""
    return [one["key"] for one in site.document(f"/alerts?{query}")["signals"]]


def test_the_page_begins_with_whom_it_paged(site: Site) -> None:
    """Its JSON is what `explain ID --format json` prints, and what the page has beside, as what destinations were told."""
    rules, store = site.state.rules, open_store(site.state.place, site.state.clock)
    facts = facts_of(rules, None)
    paged = standing(site, "severity=High&outcome=routed&destination=oncall")[:10]
    for key in paged:
        life = run(read_life(store, Meant(key, "cwpp"), NOW, facts))
        life = run(with_active_silences(store, life, rules.books[Stream.CWPP], NOW))
        document, said = site.document(f"/signals/{key}"), text_of(site.get(f"/signals/{key}").text)
        explained = orjson.loads(orjson.dumps(life_document(life, Meant(key, "cwpp"), NOW)))
        destinations = explained.pop("destinations")
        assert {name: document[name] for name in explained} == explained
        assert [{name: one[name] for name in destinations[0]} for one in document["destinations"]] == destinations
        assert said.partition(document["paging"]["words"])[2].strip().startswith(document["summary"]["title"])
        told = {one["name"]: one["text"] for one in document["destinations"] if one["text"]}
        assert ("oncall" in told) == (document["paging"]["code"] == "paged")
        for name, text in told.items():
            spec = rules.books[Stream.CWPP].destinations[name]
            assert text == run(read_last_notice(store, life, spec, NOW, CONSOLE, as_in_tickets=True))[0]
            assert f"{CONSOLE}/signals/" in text
            assert " ".join(text.split()) in said
        at = [one["at"] for one in document["timeline"]]
        assert at == sorted(at, reverse=True)
    assert paged
    run(store.close())


def test_each_key_is_in_the_papers(site: Site) -> None:
    """Other programs read a page's JSON by docs/console.md, which leaves what `explain` prints to the paper on that."""
    document, here = site.document(f"/signals/{standing(site)[0]}"), page("docs/console.md")
    explained = {name for row in page("docs/command-line.md").table("explain", "key") for name in spans(row["key"])}
    told = {name for row in here.table("A signal", "key") for name in spans(row["key"])}
    assert told == set(document) - explained | {"destinations"}
    told = {name for row in here.table("A resource", "key") for name in spans(row["key"])}
    assert told == set(site.document(site.state.url("/resource")))


def test_any_name_of_a_signal_leads_to_its_page(site: Site) -> None:
    """A key in capitals, an id, the end of one, a ticket's number; JSON leads to JSON."""
    documents = [site.document(f"/signals/{key}") for key in standing(site, "outcome=routed&destination=soc-tickets")]
    groups = [[it["group"] for it in one["destinations"] if it["name"] == "soc-tickets"] for one in documents]
    document, (group,) = next(
        (one, some) for one, some in zip(documents, groups, strict=True) if some[0]["signals"] == 1 and some[0]["open"]
    )
    key, reference = document["signal"]["key"], group["deliveries"][0]["reference"]
    for name in (key.upper(), document["signal"]["id"], document["signal"]["id"][-30:], reference):
        for suffix in ("", ".json"):
            answer = site.get(f"/signals/{name}{suffix}")
            assert (answer.status_code, answer.headers["location"]) == (303, f"/signals/{key}{suffix}")
        assert site.get(f"/decisions?q={name}").headers["location"] == f"/signals/{key}"


def test_what_nothing_is_called_is_not_there(site: Site) -> None:
    """The page says so, and offers the search; JSON has the same words."""
    there, beside = site.get("/signals/nothing-is-called-so"), site.get("/signals/nothing-is-called-so.json")
    assert (there.status_code, beside.status_code) == (404, 404)
    assert beside.json()["error"] in text_of(there.text)
    assert 'class="find"' in there.text


def test_a_page_says_what_a_ticket_may(secret_site: Site) -> None:
    """Credentials are masked. Of an alert about AI there is an outline, also where a ticket has all of it."""
    for key, kept_back in ((AI, PROMPT), (LEAKING, SECRET), (HELD, SECRET)):
        for path in (f"/signals/{key}", f"/signals/{key}.json", f"/signals/{key}?preview=rule"):
            answer = secret_site.get(path)
            assert answer.status_code == 200
            assert kept_back not in answer.text
    for path in ("/decisions", "/decisions.json", "/decisions.csv"):
        answer = secret_site.get(path)
        assert "A jailbreak was tried" in answer.text
        assert not {one for one in (PROMPT, SECRET) if one in answer.text}
    told = {one["name"]: one["text"] for one in secret_site.document(f"/signals/{AI}")["destinations"]}
    assert "A jailbreak was tried" in told["soc-tickets"]
    assert secret_site.document(f"/signals/{AI}")["summary"]["outline"]
    for key, is_taken in ((LEAKING, True), (HELD, False), (AI, True)):
        whole, page = secret_site.document(f"/signals/{key}")["whole"], secret_site.get(f"/signals/{key}").text
        said = text_of(page.partition("<details")[0])
        assert (whole["is_taken"], whole["destination"]) == (is_taken, "soc-tickets")
        assert " ".join(whole["text"].split()) in said
        assert ("would be told" in said) is not is_taken
        assert (PORTAL in HtmlReader(page).links) == (whole["link"] == PORTAL) == (key != AI)
    rule = secret_site.state.rules.books[Stream.CWPP].suppressions.by_name[RULE]
    assert all(
        one in text_of(secret_site.get(f"/signals/{HELD}").text)
        for one in (rule.reason, rule.comment, rule.owner or "")
    )
    assert "was tried" in secret_site.document(f"/signals/{HELD}")["whole"]["text"]


def test_a_silence_and_a_rule_like_it_hold_it(site: Site, tmp_path: Path) -> None:
    """The silence's fields make one that is not refused. The rule is sound, and would have held the signal and its page."""
    for key in standing(site, "severity=High&outcome=routed")[:10]:
        document = site.document(f"/signals/{key}?preview=rule")
        if document["silence"] is None:
            assert document["rule"] is None
            continue
        (link,) = [
            one for one in own_links_of(site.get(f"/signals/{key}").text, site.origin, "/") if "silences/new" in one
        ]
        fields = {name: values[0] for name, values in parse_qs(urlsplit(link).query).items()}
        assert fields == document["silence"]
        host, resource = fields.get("host"), fields.get("resource")
        written = WrittenScope(
            stream=Stream(fields["stream"]), alert_type=fields["type"], resource=resource, hosts=[host] if host else ()
        )
        assert read_silence_scope(written).groups
        file = tmp_path / document["rule"]["file"]
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(document["rule"]["text"])
        read = read_rules_file(file, Stream.CWPP, None, NOW)
        assert ([str(one) for one in read.problems], len(read.rules)) == ([], 1)
        assert {one["code"] for one in document["rule"]["remarks"]} <= {"no-owner", "not-portable"}
        assert document["preview"]["signals"] >= 1
        assert set(document["preview"]["fewer_notices"]) >= set(document["decisions"][-1]["destinations"])


def test_who_sees_a_body_says_why(secret_site: Site) -> None:
    """What is held is shown as it came, of the rest the notice that is kept; who looked is on record, and no look by GET."""
    store = open_store(secret_site.state.place, secret_site.state.clock)

    def seen() -> list[tuple[str, str, str]]:
        return [(one.subject, one.author, one.reason) for one in ask(store, list_changes, None, 10)]

    assert secret_site.get(f"/signals/{HELD}/body").status_code == 405
    for form in ({}, {"confirm": "yes"}, {"confirm": "yes", "reason": "  "}):
        answer = secret_site.post(f"/signals/{HELD}/body", **form)
        assert answer.status_code == (422 if form else 200)
        assert SECRET not in answer.text
    stranger = secret_site.client.post(
        f"/signals/{HELD}/body", data={"confirm": "yes", "reason": "x"}, headers={"sec-fetch-site": "cross-site"}
    )
    assert (stranger.status_code, seen()) == (403, [])
    for key, words in ((HELD, "&#34;SystemAlertId&#34;:&#34;held&#34;"), (LEAKING, "&#34;key&#34;: &#34;")):
        answer = secret_site.post(f"/signals/{key}/body", confirm="yes", reason="is it our key?")
        assert answer.status_code == 200
        assert SECRET in answer.text
        assert words in answer.text
    assert secret_site.post("/signals/nothing/body", confirm="yes", reason="x").status_code == 404
    assert seen() == [(key, "ana@contoso.example", "is it our key?") for key in (LEAKING, HELD)]
    run(store.close())
