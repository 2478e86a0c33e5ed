"""What is deployed: nothing is open that need not be, choices are the user's, and what must be there first is there first."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from infra.variants import SUBSCRIPTION, TENANT
from router.console.roles import Role, read_role_map
from tests.infra.predicted import EVERY, INFRA, TEMPLATE, WORKSPACE_GROUP, Deployment, Resource, deployed

STORAGE = "Microsoft.Storage/storageAccounts"
HUBS = "Microsoft.EventHub/namespaces"
HUB_RULES = "Microsoft.EventHub/namespaces/networkRuleSets"
DATABASE = "Microsoft.DBforPostgreSQL/flexibleServers"
VAULT = "Microsoft.KeyVault/vaults"
APP = "Microsoft.Web/sites"
ALERTS = "Microsoft.Insights/scheduledQueryRules"
ACTIONS = "Microsoft.Insights/actionGroups"
DIAGNOSTICS = "Microsoft.Insights/diagnosticSettings"
EXPORTS = "Microsoft.Security/automations"
ENDPOINTS = "Microsoft.Network/privateEndpoints"
ZONES = "Microsoft.Network/privateDnsZones"
NETWORK = "Microsoft.Network/virtualNetworks"
SIGN_IN = "Microsoft.Web/sites/config"
PAGER = f"{WORKSPACE_GROUP}/providers/Microsoft.Insights/actionGroups/pager"
SCALE = "functionAppConfig.scaleAndConcurrency"
ENTRA = "identityProviders.azureActiveDirectory"
CLIENT = "00000000-0000-0000-0000-0000000c11e4"
VOUCHES = "OVERRIDE_USE_MI_FIC_ASSERTION_CLIENTID"
"""The setting in which Azure finds the identity that vouches for the app registration."""

type Said = Mapping[str, Mapping[str, Any]]
"""What the only resource of a type says at each path."""

ALWAYS: Mapping[str, Said] = {
    "whoever comes has an identity and a role, and no key": {
        STORAGE: {"allowSharedKeyAccess": False, "isLocalUserEnabled": False},
        HUBS: {"disableLocalAuth": True},
        DATABASE: {"authConfig.passwordAuth": "Disabled"},
        VAULT: {"enableRbacAuthorization": True},
        "Microsoft.Insights/components": {"DisableLocalAuth": True},
    },
    "no blob lets in anybody without a name": {
        STORAGE: {"allowBlobPublicAccess": False, "allowCrossTenantReplication": False}
    },
    "TLS 1.2 at the least, and no plain HTTP or FTP": {
        STORAGE: {"minimumTlsVersion": "TLS1_2", "supportsHttpsTrafficOnly": True},
        HUBS: {"minimumTlsVersion": "1.2"},
        APP: {"httpsOnly": True, "siteConfig.minTlsVersion": "1.2", "siteConfig.ftpsState": "Disabled"},
    },
    "a vault that was deleted by mistake comes back": {
        VAULT: {"enableSoftDelete": True, "softDeleteRetentionInDays": 90, "enablePurgeProtection": True}
    },
    "Defender gets in as a trusted service, by an address that is not turned off": {
        HUB_RULES: {"trustedServiceAccessEnabled": True, "publicNetworkAccess": "Enabled"},
        HUBS: {"publicNetworkAccess": "Enabled"},
    },
}
"""Promises, and what is deployed whatever is chosen."""

CHOSEN: Mapping[str, Mapping[str, Said]] = {
    "storage and vault have no public address": {
        "private": {
            one: {"publicNetworkAccess": "Disabled", "networkAcls.defaultAction": "Deny"} for one in (STORAGE, VAULT)
        }
    },
    "the database has none, or lets in what has an address of Azure's, since the app has none of its own": {
        "private": {DATABASE: {"network": {"publicNetworkAccess": "Disabled"}}},
        "default": {
            DATABASE: {"network": {"publicNetworkAccess": "Enabled"}},
            f"{DATABASE}/firewallRules": {"startIpAddress": "0.0.0.0", "endIpAddress": "0.0.0.0"},  # noqa: S104
        },
    },
    "hubs refuse what comes from elsewhere": {"private": {HUB_RULES: {"defaultAction": "Deny"}}},
    "a trial where nobody chose, and production with a server that stands by in another zone": {
        "default": {
            DATABASE: {
                ".sku": {"name": "Standard_B2s", "tier": "Burstable"},
                "highAvailability": {"mode": "Disabled"},
                "version": "18",
                "storage.storageSizeGB": 32,
                "backup.backupRetentionDays": 7,
            }
        },
        "private": {
            DATABASE: {
                ".sku": {"name": "Standard_D2ds_v5", "tier": "GeneralPurpose"},
                "highAvailability": {"mode": "ZoneRedundant"},
                "version": "17",
                "storage.storageSizeGB": 128,
                "backup.backupRetentionDays": 35,
            }
        },
    },
    "instances: the lowest that Flex Consumption knows where nobody chose": {
        "default": {APP: {f"{SCALE}.maximumInstanceCount": 40, "virtualNetworkSubnetId": None}},
        "several-subscriptions": {
            APP: {f"{SCALE}.maximumInstanceCount": 100, "functionAppConfig.siteUpdateStrategy.type": "RollingUpdate"}
        },
    },
    "throughput: a hub that needs six is not set back to one, and its maximum is never below that": {
        "default": {HUBS: {".sku.capacity": 1, "maximumThroughputUnits": 4}},
        "several-subscriptions": {HUBS: {".sku.capacity": 6, "maximumThroughputUnits": 6}},
    },
    "where asked for, Entra signs people of this tenant in before any request is handed on, by https and without a secret": {
        "file-integrity-elsewhere": {
            SIGN_IN: {
                "platform.enabled": True,
                "globalValidation.requireAuthentication": True,
                "globalValidation.unauthenticatedClientAction": "RedirectToLoginPage",
                "globalValidation.redirectToProvider": "azureactivedirectory",
                "httpSettings.requireHttps": True,
                f"{ENTRA}.enabled": True,
                f"{ENTRA}.registration": {
                    "clientId": CLIENT,
                    "openIdIssuer": f"[format('{{0}}{{1}}/v2.0', environment().authentication.loginEndpoint, '{TENANT}')]",
                    "clientSecretSettingName": VOUCHES,
                },
                f"{ENTRA}.validation.allowedAudiences": [CLIENT],
                "login.tokenStore.enabled": True,
            }
        }
    },
    "what tells people is on": {"default": {ACTIONS: {"enabled": True}}},
}
"""Promises, and what is deployed by a choice."""


def test_what_is_deployed_keeps_what_is_promised(subtests: pytest.Subtests) -> None:
    """Each promise in each variant that it is about."""
    everywhere = {promise: dict.fromkeys(EVERY, said) for promise, said in ALWAYS.items()}
    for promise, variants in {**everywhere, **CHOSEN}.items():
        for variant, resources in variants.items():
            with subtests.test(promise, variant=variant):
                said = {
                    kind: {path: deployed(variant).one(kind).says(path) for path in paths}
                    for kind, paths in resources.items()
                }
                assert said == resources


def test_no_workspace_takes_a_key_and_none_is_ever_asked_for() -> None:
    """Nothing lists keys, and no output, parameter or setting could hold one."""
    for variant in EVERY:
        for workspace in deployed(variant).of("Microsoft.OperationalInsights/workspaces"):
            assert workspace.says("features.disableLocalAuth") is True
    keys = r"\blist(Keys|AccountSas|ServiceSas)|connectionStrings|[Ss]ecure([Ss]tring|Object|\()"
    for text in (json.dumps(TEMPLATE), (INFRA / "export-policy.bicep").read_text()):
        assert not re.search(keys, text)


def test_a_private_router_is_reached_by_private_addresses_only(azure: Deployment) -> None:
    """Each service has an endpoint and a name in the network, whose one subnet is as Flex Consumption takes it; by itself there
    is no network, which has its price."""
    assert not [one for one in azure.resources if one.kind.startswith("Microsoft.Network/")]
    private = deployed("private")
    assert private.of(f"{DATABASE}/firewallRules") == []
    assert private.one(HUB_RULES).says("virtualNetworkRules")  # a Deny without any rule is none
    targets = {
        (connection["properties"]["privateLinkServiceId"], *connection["properties"]["groupIds"])
        for one in private.of(ENDPOINTS)
        for connection in one.says("privateLinkServiceConnections")
    }
    groups = {STORAGE: ("blob", "queue"), DATABASE: ("postgresqlServer",), HUBS: ("namespace",), VAULT: ("vault",)}
    assert targets == {(private.one(kind).id, group) for kind, several in groups.items() for group in several}
    named = {
        config["properties"]["privateDnsZoneId"]
        for one in private.of(f"{ENDPOINTS}/privateDnsZoneGroups")
        for config in one.says("privateDnsZoneConfigs")
    }
    assert named == {one.id for one in private.of(ZONES)}
    links, network = private.of(f"{ZONES}/virtualNetworkLinks"), private.one(NETWORK)
    assert len(named) == len(links) == len(private.of(ENDPOINTS))
    assert {one.says("virtualNetwork.id") for one in links} == {network.id}
    assert private.one(APP).says("virtualNetworkSubnetId") == f"{network.id}/subnets/app"
    delegated = {
        one["name"]: [found["properties"]["serviceName"] for found in one["properties"].get("delegations", [])]
        for one in network.says("subnets")
    }
    assert delegated == {"app": ["Microsoft.App/environments"], "services": []}


def test_everything_says_what_happens_to_it_and_what_is_dear_only_if_asked_for(subtests: pytest.Subtests) -> None:
    """Dear are requests to storage, each look into a queue among them, and the host's logs, which Application Insights has."""
    dear = (f"{STORAGE}/queueServices", APP)
    for variant in EVERY:
        with subtests.test(variant):
            azure = deployed(variant)
            told = {str(one.scope): one for one in azure.of(DIAGNOSTICS)}
            kinds = (STORAGE, DATABASE, HUBS, VAULT, f"{STORAGE}/blobServices", *dear)
            assert sorted(told) == sorted(azure.one(kind).id for kind in kinds)
            assert {one.says("workspaceId") for one in told.values()} == {azure.outputs["WORKSPACE_ID"]}
            assert all(metric["enabled"] for one in told.values() for metric in one.says("metrics"))
            for kind in (DATABASE, HUBS, VAULT):
                assert all(log["enabled"] for log in told[azure.one(kind).id].says("logs"))
            for kind in dear:
                logs = [log["enabled"] for log in told[azure.one(kind).id].says("logs")]
                assert logs == [variant == "file-integrity-elsewhere"]


def test_every_alert_is_deployed_as_it_was_tested(subtests: pytest.Subtests) -> None:
    """On, one row enough, told to people. What should get people up is told to a pager that does not need the router, too."""
    for variant, pager in (("default", []), ("private", [PAGER])):
        azure = deployed(variant)
        for rule in azure.of(ALERTS):
            with subtests.test(variant, rule=rule.name):
                (criterion,) = rule.says("criteria.allOf")
                asked = (criterion["timeAggregation"], criterion["operator"], criterion["threshold"])
                assert asked == ("Count", "GreaterThan", 0)
                assert (rule.says("enabled"), rule.says("autoMitigate")) == (True, True)
                assert rule.says("scopes") == [azure.outputs["WORKSPACE_ID"]]
                told = [azure.one(ACTIONS).id, *(pager if rule.says("severity") == 1 else [])]
                assert rule.says("actions.actionGroups") == told
                # Azure refuses less often together with autoMitigate.
                assert re.fullmatch(r"PT(\d+M|[1-6]H)", rule.says("evaluationFrequency"))
        assert {one.says("severity") for one in azure.of(ALERTS)} == {1, 2, 3}
        # Only of a size that lives on credits Azure says how many are left.
        names = {one.name for one in azure.of(ALERTS)}
        assert ("alert-router-database-credits" in names) is (variant == "default")


def exports(azure: Deployment) -> dict[str, Resource]:
    """Each export by its stream."""
    return {one.name.rpartition("-")[2]: one for one in azure.of(EXPORTS)}


def sources(azure: Deployment, stream: str) -> set[str]:
    """What a stream's export sends."""
    return {source["eventSource"] for source in exports(azure)[stream].says("sources")}


def test_defender_exports_alerts_to_one_hub_and_posture_to_the_other(azure: Deployment) -> None:
    """Without a key, as a trusted service, all severities; a finding with its recommendation, a snapshot with its stream."""
    hubs = {one.name.rpartition("/")[2]: one.id for one in azure.of(f"{HUBS}/eventhubs")}
    assert exports(azure).keys() == hubs.keys()
    for stream, found in exports(azure).items():
        (action,) = found.says("actions")
        assert (action["eventHubResourceId"], action["isTrustedServiceEnabled"]) == (hubs[stream], True)
        assert "connectionString" not in action
        assert found.says("isEnabled") is True
        assert found.says("scopes")[0]["scopePath"] == f"/subscriptions/{SUBSCRIPTION}"
    assert sources(azure, "cwpp") == {"Alerts"}
    assert exports(azure)["cwpp"].says("sources")[0]["ruleSets"] == []
    streams = {"Assessments", "SubAssessments", "SecureScores", "SecureScoreControls", "AttackPaths"}
    streams |= {"RegulatoryComplianceAssessment"}
    assert sources(azure, "cspm") == streams | {f"{name}Snapshot" for name in streams}


def test_every_subscription_exports_the_same_into_the_same_hubs() -> None:
    """The deployment's own, though it is named, once, and each that it is told of; severities (' high , MEDIUM,,high') as
    Defender calls them, each an alternative."""
    several = deployed("several-subscriptions")
    found: dict[str, list[Any]] = {}
    for one in several.of(EXPORTS):
        subscription = one.id.split("/")[2]
        assert one.says("scopes")[0]["scopePath"] == f"/subscriptions/{subscription}"
        found.setdefault(subscription, []).append((one.name, one.says("sources"), one.says("actions")))
    own = found.pop(SUBSCRIPTION)
    assert list(found.values()) == [own, own]
    (chosen,) = exports(several)["cwpp"].says("sources")
    assert [[rule["expectedValue"] for rule in one["rules"]] for one in chosen["ruleSets"]] == [["High"], ["Medium"]]
    assert {rule["propertyJPath"] for one in chosen["ruleSets"] for rule in one["rules"]} == {"Severity"}
    groups = [one.id.split("/")[2] for one in several.of("Microsoft.Resources/resourceGroups")]
    assert groups.count(SUBSCRIPTION) == 1
    assert sorted(set(groups)) == sorted(groups)


def test_what_the_app_is_told_is_the_user_s_choice(azure: Deployment) -> None:
    """The app's own where nobody chose. Rules without secrets, said with the word none, make an app without references."""
    usual, chosen = azure.settings, deployed("several-subscriptions").settings
    assert not {"ALERT_ROUTER_RETENTION", "ALERT_ROUTER_AT_A_TIME"} & usual.keys()
    assert chosen["ALERT_ROUTER_RETENTION"] == "routed = 365, below_floor=30"
    assert chosen["ALERT_ROUTER_AT_A_TIME"] == "2"
    assert not [name for name, value in chosen.items() if "KeyVault" in value]


def test_nobody_signs_in_to_the_console_unless_an_app_registration_is_named() -> None:
    """Then the app is told who may do what, and where the console is; before, at most the address of one elsewhere. The code
    comes after the lock."""
    said = {
        variant: {
            name: value for name, value in deployed(variant).settings.items() if "CONSOLE" in name or name == VOUCHES
        }
        for variant in EVERY
    }
    on = deployed("file-integrity-elsewhere")
    assert said == {
        "default": {},
        "private": {},
        "several-subscriptions": {"ALERT_ROUTER_CONSOLE_URL": "https://alerts.contoso.example/console"},
        "file-integrity-elsewhere": {
            "ALERT_ROUTER_CONSOLE_TENANT": TENANT,
            "ALERT_ROUTER_CONSOLE_ROLES": "Reader=AlertRouter.Reader, Operator=AlertRouter.Operator, Admin=AlertRouter.Admin",
            "ALERT_ROUTER_CONSOLE_URL": f"https://{on.one(APP).name}.azurewebsites.net/api/console",
            VOUCHES: on.settings["EVENT_HUBS__clientId"],
        },
    }
    read = read_role_map(on.settings["ALERT_ROUTER_CONSOLE_ROLES"])
    assert read == {f"AlertRouter.{role.words}": role for role in Role}
    assert {variant for variant in EVERY if deployed(variant).of(SIGN_IN)} == {"file-integrity-elsewhere"}
    for variant in EVERY:
        assert deployed(variant).outputs["CONSOLE_URL"] == said[variant].get("ALERT_ROUTER_CONSOLE_URL", "")
    assert "signIn" in modules()["package"]["dependsOn"]


def test_what_may_be_chosen_has_its_limits(azure: Deployment) -> None:
    """What a build once read of rules is never what another's app gets: secrets have no default."""
    given = TEMPLATE["parameters"]
    assert (given["maximumInstances"]["minValue"], given["maximumInstances"]["maxValue"]) == (40, 1000)
    assert given["updateStrategy"]["allowedValues"] == ["Recreate", "RollingUpdate"]
    assert "defaultValue" not in given["secretNames"] and given["secretNames"]["minLength"] == 1
    assert "siteUpdateStrategy" not in azure.one(APP).says("functionAppConfig")  # Azure's types know no strategy


ONE_AT_A_TIME = (
    "Microsoft.EventHub/namespaces/eventhubs",
    "Microsoft.EventHub/namespaces/eventhubs/consumergroups",
    "Microsoft.Storage/storageAccounts/queueServices/queues",
    "Microsoft.OperationalInsights/workspaces/tables",
    "Microsoft.Network/privateEndpoints",
)
"""Types of which several are made in one namespace, account, workspace or subnet."""


def modules() -> Mapping[str, Mapping[str, Any]]:
    """The modules of main.bicep by their names there."""
    return {
        name: one for name, one in TEMPLATE["resources"].items() if one["type"] == "Microsoft.Resources/deployments"
    }


def before(name: str) -> set[str]:
    """Everything that a module waits for, directly or not. Through one that may be left out Azure waits for nothing."""
    waits: set[str] = set()
    ahead = set(modules()[name].get("dependsOn", ()))
    while ahead:
        waits |= ahead
        always = {name for name in ahead & modules().keys() if "condition" not in modules()[name]}
        ahead = {one for found in always for one in modules()[found].get("dependsOn", ())} - waits
    return waits


FIRST = {
    # Azure refuses a rule whose table it does not know.
    "logAnalytics": ("logTables", "fileIntegrityAlerts"),
    "sentinelOn": ("logTables",),
    "logTables": ("logRules", "alerts"),
    "logRules": ("roles",),
    # The app reads storage and secrets, and signs in to its state, as soon as it is there.
    "roles": ("functionApp",),
    "privateEndpoints": ("functionApp",),
    # What was only just made cannot be reached by who makes roles; and then one change at a time.
    "database": ("databaseAdministrator",),
    "databaseAdministrator": ("functionApp", "privateEndpoints", "diagnostics"),
    # Its rule names the app's subnet.
    "privateNetwork": ("eventHubs",),
    "eventHubs": ("fileIntegrityAlerts",),
    "functionApp": ("package", "diagnostics", "signIn"),
    "defender": ("export", "exportElsewhere"),
}
"""Modules, and what waits for each: Azure makes everything at once that does not wait."""

INSIDE = {
    "eventHubs": {"network": "streams", "cwppReaders": "cspmReaders"},
    "storage": {"deployments": "queueService", "wakeUps": "poison"},
    "database": {"database": "azure"},
}
"""Changes to one namespace, account or server, which refuses one while another is at work on it: the first and the second."""


def test_what_must_be_there_first_is_waited_for(subtests: pytest.Subtests) -> None:
    """Also through what always is there in between."""
    for first, several in FIRST.items():
        for then in several:
            with subtests.test(first, then=then):
                assert first in before(then)
    for module, pairs in INSIDE.items():
        resources = modules()[module]["properties"]["template"]["resources"]
        for first, then in pairs.items():
            with subtests.test(module, first=first, then=then):
                assert first in resources[then]["dependsOn"]


def given(module: str) -> Mapping[str, str]:
    """The expressions of main.bicep that a module gets as parameters."""
    found = modules()[module]["properties"].get("parameters", {})
    values = {name: one["value"] for name, one in found.items() if isinstance(one, dict) and "value" in one}
    return {name: value for name, value in values.items() if isinstance(value, str)}


def made_in(module: str) -> Sequence[Mapping[str, Any]]:
    """The resources that a module makes or looks up."""
    # A newer kind of template has its resources by name.
    resources = modules()[module]["properties"]["template"]["resources"]
    return list(resources.values()) if isinstance(resources, dict) else resources


def makers() -> Mapping[str, str]:
    """Which module makes the resource that has a name, by the expression of the name in main.bicep."""
    return {
        value: module
        for module in modules()
        for parameter, value in given(module).items()
        for one in made_in(module)
        if not one.get("existing") and one["name"] == f"[parameters('{parameter}')]"
    }


def looked_up_in(module: str) -> set[str]:
    """The names, as expressions of main.bicep, of what a module takes to be there."""
    # A module without types of its own compiles to a form that only names what is looked up where something stands on it.
    names = " ".join(one["name"] if one.get("existing") else one.get("scope", "") for one in made_in(module))
    return {value for parameter, value in given(module).items() if f"parameters('{parameter}')" in names}


BY_ID = {
    "[variables('ids').workspace]": "logAnalytics",
    "[variables('appSubnetId')]": "privateNetwork",
    "[variables('cwppHubId')]": "eventHubs",
    "[variables('cspmHubId')]": "eventHubs",
}
"""What makes a resource that others are told of by its id, and that must be there when they are made."""


def test_whatever_a_module_takes_to_be_there_is_made_before(subtests: pytest.Subtests) -> None:
    """By its name, where the module looks it up, or by its id."""
    for module in modules():
        with subtests.test(module):
            by_name = {makers()[name] for name in looked_up_in(module) & makers().keys()}
            by_id = {BY_ID[value] for value in given(module).values() if value in BY_ID}
            assert (by_name | by_id) - {module} <= before(module)
    # It looks at something: each service is made by a module, and looked up by others.
    services = {"identity", "privateNetwork", "eventHubs", "storage", "database", "keyVault", "functionApp"}
    assert services <= set(makers().values())
    assert len(looked_up_in("roles")) == 6


def test_what_one_parent_refuses_at_once_comes_one_by_one(subtests: pytest.Subtests) -> None:
    """Each loop is serial, and a second loop waits for the first."""
    every = [one for module in modules() for one in made_in(module)]
    for kind in ONE_AT_A_TIME:
        with subtests.test(kind):
            loops = {one["copy"]["name"]: one for one in every if one["type"] == kind and not one.get("existing")}
            assert {(one["copy"]["mode"], one["copy"]["batchSize"]) for one in loops.values()} == {("serial", 1)}
            assert sum(not loops.keys() - {name} & set(one.get("dependsOn", ())) for name, one in loops.items()) == 1


def test_a_preview_can_name_everything(subtests: pytest.Subtests) -> None:
    """A name or an id that only a deployment knows is left out of what-if, and only the router's role in its state has one:
    Azure wants it named after the principal. And nothing is made twice: two modules would undo each other's work."""
    for variant in EVERY:
        with subtests.test(variant):
            made = deployed(variant).resources
            unnamed = [one.kind for one in made if "reference(" in f"{one.id} {one.name}"]
            assert unnamed == ["Microsoft.DBforPostgreSQL/flexibleServers/administrators"]
            assert len({one.id for one in made}) == len(made)


def test_nothing_is_looked_up_that_is_only_being_made() -> None:
    """Azure would ask for it before it is there: only a workspace that somebody names is there already."""
    looked_up = {name: one.get("condition") for name, one in TEMPLATE["resources"].items() if one.get("existing")}
    assert looked_up == {
        "workspace": "[not(variables('ownWorkspace'))]",
        "watched": "[and(parameters('fileIntegrity'), not(empty(variables('watchedWorkspaceId'))))]",
    }
    # Fixed names of deployments collide where two run at once.
    for name, module in modules().items():
        assert re.search(r"uniqueString\('\w+', deployment\(\)\.name\)", module["name"]), name
