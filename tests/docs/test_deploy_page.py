"""The pages about a deployment say what infra/ has, and reckon with its numbers; docs/operations.md knows every alert."""

import json
import re
from collections import Counter
from math import prod

from infra.preflight import ALWAYS, WITH_NETWORK, WITH_SENTINEL, connections_of, database_sizes
from infra.proof import LONGEST, STEPS
from infra.references import VERSION, address_of
from infra.remaining import SEND, STANDING
from infra.required import CHECKED, LOOK_UP
from tests.docs.pages import ROOT, page, pairs, spans
from tests.infra.predicted import EVERY, deployed
from tests.infra.queries.workspace import alert_rules

PAGE = page("docs/deploy.md")
CHOICES = page("docs/deploy-choices.md")
COSTS = page("docs/costs.md")
REPOSITORY = page("docs/deploy-from-a-repository.md")
PAGES = (PAGE, CHOICES, COSTS, REPOSITORY)
OPERATIONS = page("docs/operations.md")
BY_AZD = {"AZURE_ENV_NAME", "AZURE_LOCATION", "AZURE_SUBSCRIPTION_ID", "DEFENDER_PRINCIPAL_ID", "ROUTER_SECRET_NAMES"}
SECONDS = 30 * 24 * 3600


AZURE = deployed("default")
"""What `azd up` makes where nobody chose anything."""


def choices() -> dict[str, str]:
    """The variables that main.parameters.json reads beside azd's, and what stands there where they are not set."""
    text = (ROOT / "infra" / "main.parameters.json").read_text()
    return dict(re.findall(r"\$\{(ROUTER_\w+)=([^}]*)\}", text))


def test_every_choice_is_listed_with_its_default() -> None:
    """The table has the variables of main.parameters.json, and no other."""
    table = CHOICES.table(CHOICES.title, "variable")
    told = {name: "".join(spans(cell)) for name, cell in pairs(table, "variable", "by default").items()}
    assert told == choices()


def test_every_variable_that_a_command_uses_is_set() -> None:
    """By azd, by a choice, or by an output of main.bicep; a shell would take another for nothing."""
    shell = "\n".join(fence.text for paper in PAGES for fence in paper.fences if fence.language == "sh")
    text = "".join(paper.text for paper in PAGES)
    known = BY_AZD | {CHECKED} | choices().keys() | AZURE.outputs.keys()
    used = set(re.findall(r"\$\{?([A-Z][A-Z_]+)", shell)) | set(re.findall(r"azd env set ([A-Z]+_[A-Z_]+)", text))
    assert used <= known
    named = set(re.findall(r"`((?:AZURE|CWPP|CSPM|FUNCTION|KEY|ALERTS|ROUTER|DEFENDER)_\w+)`", text))
    assert named - {"AZURE_CLIENT_ID", "AZURE_TENANT_ID"} <= known


def test_commands_and_names_are_those_of_the_hooks_and_of_infra() -> None:
    """Defender's object id is looked up, what stood before is asked for, the app is told to read its vault and exports are
    called as it is done there."""
    shell = "".join(fence.text for fence in PAGE.fences)
    assert not [command for command in (*STANDING, SEND) if command not in shell]
    assert " ".join(LOOK_UP) in PAGE.text
    names = ("AZURE_SUBSCRIPTION_ID", "AZURE_RESOURCE_GROUP", "FUNCTION_APP_NAME")
    address = address_of({name: f"${name}" for name in names})
    assert f'az rest --method post --url "{address}/refresh?api-version={VERSION}"\n' in CHOICES.text
    made = {one.name for one in AZURE.of("Microsoft.Security/automations")}
    assert made == set(re.findall(r"alert-router-c[a-z]+", PAGE.section("1. `azd up`")))
    read = json.loads((ROOT / "infra" / "main.parameters.json").read_text())
    assert len(read["parameters"]) == len(choices()) + len(BY_AZD - {"AZURE_SUBSCRIPTION_ID"})


def test_the_time_that_a_sample_takes_is_what_the_proof_waits() -> None:
    """Each step with its source, and the sum."""
    rows = PAGE.table("A sample alert", "step")
    assert [tuple(row.values()) for row in rows] == [
        *((step.what, str(step.minutes), step.source) for step in STEPS),
        ("together", str(LONGEST), ""),
    ]
    assert f"It waits for {LONGEST} minutes at most." in PAGE.section("A sample alert")


def test_the_page_lists_what_is_looked_at() -> None:
    """Each provider, and by which choice."""
    (row, *_) = CHOICES.table("What the hooks do", "what")
    always, sentinel, network = row["what"].split(";")
    assert set(ALWAYS) == set(re.findall(r"\b[A-Z]\w+", always)) - {"Microsoft"}
    assert sentinel == f" with `ROUTER_SENTINEL` {' and '.join(WITH_SENTINEL)}"
    assert network == f" with `ROUTER_PRIVATE` {' and '.join(WITH_NETWORK)}"


def test_the_costs_are_reckoned_with_what_is_deployed() -> None:
    """Always-ready instances, their memory, units, endpoints and how often each alert rule runs."""
    told = {row["what"]: row for row in COSTS.table("What it costs", "what")}
    few = {what: row["1,000 messages a day"] for what, row in told.items()}
    scale = AZURE.one("Microsoft.Web/sites").says("functionAppConfig.scaleAndConcurrency")
    ready = sum(one["instanceCount"] for one in scale["alwaysReady"])
    memory = scale["instanceMemoryMB"] // 1024
    assert few["always ready"] == f"{ready * memory * SECONDS:,} GB-s"
    assert few["sweeps"] == f"{SECONDS // 60:,} executions, {SECONDS // 60 * memory:,} GB-s"
    hours, units = SECONDS // 3600, AZURE.one("Microsoft.EventHub/namespaces").says("maximumThroughputUnits")
    assert told["hubs"]["1,000,000 a day"].startswith(f"{hours} to {hours * units:,} unit")
    closed = deployed("private")
    kinds = ("Microsoft.Network/privateEndpoints", "Microsoft.Network/privateDnsZones")
    endpoints, zones = (len(closed.of(kind)) for kind in kinds)
    assert few["closed network"] == f"{endpoints} endpoints, {zones} zones"
    runs = Counter(int(rule.every.total_seconds()) // 60 for rule in alert_rules().values())
    in_production = len(closed.of("Microsoft.Insights/scheduledQueryRules"))
    assert few["alert rules"] == f"{runs.total()} in a trial, else {in_production}"
    every = {5: "every 5 minutes", 15: "every 15 minutes", 60: "every hour", 360: "every 6 hours"}
    assert told["alert rules"]["from"] == ", ".join(f"{runs[minutes]} {words}" for minutes, words in every.items())


def test_the_requests_add_up() -> None:
    """What the host asks of storage a month is what the products come to, and it looks as often as host.json says."""
    products = [row["requests"] for row in COSTS.table("Requests to storage", "what")]
    for product in products:
        factors, total = product.split(" = ")
        assert f"{round(prod(map(float, factors.replace(',', '').replace('/ 2', 'x 0.5').split(' x ')))):,}" == total
    few, burst, trickle, looks = (product.rpartition(" = ")[2] for product in products)
    told = next(row for row in COSTS.table("What it costs", "what") if row["what"] == "requests to storage")
    assert told["1,000 messages a day"] == f"{few} and polling"
    assert told["1,000,000 a day"] == f"{burst} to {trickle} and polling"
    queues = json.loads((ROOT / "host.json").read_text())["extensions"]["queues"]
    assert queues["maxPollingInterval"] == "00:00:02"
    assert looks == f"{SECONDS // 2:,}"


def test_the_table_of_sizes_says_what_each_has_for_the_router() -> None:
    """Each size that may be chosen, its connections, and how many instances they are enough for; as the template reckons it."""
    rows = CHOICES.table("The database", "size")
    told = {name: row for row in rows for name in spans(row["size"])}
    assert told.keys() == database_sizes().keys()
    for name, row in told.items():
        size = database_sizes()[name]
        most = size["connections"] * 3 // 4
        assert (row["cores"], row["connections for users"]) == (str(size["cores"]), f"{size['connections']:,}")
        assert row["of them for the router"] == f"{most:,}"
        heads = {
            "with `ROUTER_PARTITIONS` of 4, instances at most": "Recreate",
            "with `RollingUpdate`": "RollingUpdate",
        }
        for head, strategy in heads.items():
            enough = [number for number in range(40, 1001) if connections_of(number, 4, strategy) <= most]
            assert row[head].startswith(str(enough[-1]) if enough else "none")


def test_the_page_says_what_is_chosen_by_itself_and_what_is_production() -> None:
    """The page calls the defaults a trial, and what it calls production is let pass and predicted."""
    rows = CHOICES.table("The database", "choice")
    trial, production = (
        {"".join(spans(row["choice"])): spans(row[kind])[0] for row in rows[:3]} for kind in ("trial", "production")
    )
    assert trial == {name: value for name, value in choices().items() if name in trial}
    server = deployed("private").one("Microsoft.DBforPostgreSQL/flexibleServers")
    said = (".sku.name", "highAvailability.mode", "backup.backupRetentionDays")
    assert list(production.values()) == [str(server.says(path)) for path in said]


def test_the_workflow_signs_in_as_the_identity_that_the_page_makes() -> None:
    """Azure trusts the environments that the jobs name, and GitHub is given every variable that the workflow asks for."""
    workflow = (ROOT / ".github" / "workflows" / "deploy.yml").read_text()
    environments = re.findall(r"environment: (\w+)$", workflow, re.MULTILINE)
    assert set(environments) == set(re.findall(r":environment:(\w+) ", REPOSITORY.text)) == {"preview", "production"}
    assert set(re.findall(r"vars\.(\w+)", workflow)) <= set(spans(REPOSITORY.section("From your own repository")))


def test_the_identity_of_the_preview_can_change_nothing() -> None:
    """It reads how those things are set up that infra/ makes, and asks what would be; no logs, no keys, nobody's alerts."""
    role = json.loads(REPOSITORY.fence("preview-role.json"))
    made = {one.kind for name in EVERY for one in deployed(name).resources} - {"Microsoft.Resources/resourceGroups"}
    about = ("deployments", "subscriptions", "subscriptions/resourceGroups")
    allowed = {f"{kind}/read" for kind in {*made, *(f"Microsoft.Resources/{one}" for one in about)}}
    allowed |= {f"Microsoft.Resources/deployments/{asked}/action" for asked in ("validate", "whatIf")}
    assert set(role["Actions"]) == allowed
    assert not role.get("DataActions")


def test_every_alert_is_answered_with_its_severity() -> None:
    """docs/operations.md says what to do for each rule, how severe it is and how often Azure asks."""
    told = re.findall(r"^- \*\*([\w-]+)\*\* \((\d); every (?:(\d+) minutes|(hour|6 hours))", OPERATIONS.text, re.M)
    minutes = {"hour": 60, "6 hours": 360}
    assert [(name, int(severity), int(number or minutes[word])) for name, severity, number, word in told] == [
        (rule.name, rule.severity, int(rule.every.total_seconds()) // 60) for rule in alert_rules().values()
    ]


def test_beside_the_button_stands_that_it_publishes_the_rules() -> None:
    """And each private way, by a link to it."""
    said = REPOSITORY.section("Deploy without azd")
    assert said.index("*Deploy to Azure*") < said.index("publishes your rules") < said.index("**What the form asks**")
    assert {"deploy.md#1-azd-up", "#from-your-own-repository", "#from-a-private-repository"} <= set(
        re.findall(r"\(([\w.]*#[\w-]+)\)", said)
    )
