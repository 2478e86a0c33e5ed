"""Nothing is open that need not be: no keys, no public blobs, no old TLS; and with `private`, no public network."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from tests.infra.predicted import Deployment
from tests.infra.variants import EVERY, INFRA, TEMPLATE, deployed

STORAGE = "Microsoft.Storage/storageAccounts"
HUBS = "Microsoft.EventHub/namespaces"
DATABASE = "Microsoft.DBforPostgreSQL/flexibleServers"
VAULT = "Microsoft.KeyVault/vaults"
APP = "Microsoft.Web/sites"


@pytest.fixture(scope="module", params=EVERY)
def any_azure(request: pytest.FixtureRequest) -> Deployment:
    """Whatever is chosen."""
    return deployed(request.param)


def test_there_are_no_keys(any_azure: Deployment) -> None:
    """Whoever comes has an identity and a role."""
    assert any_azure.one(STORAGE).properties["allowSharedKeyAccess"] is False
    assert any_azure.one(STORAGE).properties["isLocalUserEnabled"] is False
    assert any_azure.one(HUBS).properties["disableLocalAuth"] is True
    assert any_azure.one(DATABASE).properties["authConfig"]["passwordAuth"] == "Disabled"
    assert any_azure.one(VAULT).properties["enableRbacAuthorization"] is True
    assert any_azure.one("Microsoft.Insights/components").properties["DisableLocalAuth"] is True
    for workspace in any_azure.of("Microsoft.OperationalInsights/workspaces"):
        assert workspace.properties["features"]["disableLocalAuth"] is True


def test_no_key_is_ever_asked_for() -> None:
    """Nothing lists keys, and no output, parameter or setting could hold one."""
    policy = (INFRA / "export-policy.bicep").read_text()
    for text in (json.dumps(TEMPLATE), policy):
        assert not re.search(
            r"\blist(Keys|AccountSas|ServiceSas)|connectionStrings|[Ss]ecure([Ss]tring|Object|\()", text
        )


def test_no_blob_is_public(any_azure: Deployment) -> None:
    """Neither the account nor a container lets anybody in without a name."""
    assert any_azure.one(STORAGE).properties["allowBlobPublicAccess"] is False
    assert any_azure.one(STORAGE).properties["allowCrossTenantReplication"] is False


def test_every_way_in_is_encrypted(any_azure: Deployment) -> None:
    """TLS 1.2 at the least, and no plain HTTP or FTP."""
    assert any_azure.one(STORAGE).properties["minimumTlsVersion"] == "TLS1_2"
    assert any_azure.one(STORAGE).properties["supportsHttpsTrafficOnly"] is True
    assert any_azure.one(HUBS).properties["minimumTlsVersion"] == "1.2"
    app = any_azure.one(APP).properties
    assert app["httpsOnly"] is True
    assert (app["siteConfig"]["minTlsVersion"], app["siteConfig"]["ftpsState"]) == ("1.2", "Disabled")


def test_secrets_cannot_be_purged(any_azure: Deployment) -> None:
    """A vault that was deleted by mistake comes back."""
    vault = any_azure.one(VAULT).properties
    assert (vault["enableSoftDelete"], vault["softDeleteRetentionInDays"]) == (True, 90)
    assert vault["enablePurgeProtection"] is True


def test_defender_gets_in_whatever_is_closed(any_azure: Deployment) -> None:
    """Trusted services are let in, and the public address that they come by is not turned off."""
    rules = any_azure.one("Microsoft.EventHub/namespaces/networkRuleSets").properties
    assert rules["trustedServiceAccessEnabled"] is True
    assert rules["publicNetworkAccess"] == any_azure.one(HUBS).properties["publicNetworkAccess"] == "Enabled"


def test_a_private_router_is_reached_by_private_addresses_only() -> None:
    """Storage, database and vault have no public address, the hubs refuse it, and each has an endpoint in the network."""
    azure = deployed("private")
    for one in (azure.one(STORAGE), azure.one(VAULT)):
        assert one.properties["publicNetworkAccess"] == "Disabled"
        assert one.properties["networkAcls"]["defaultAction"] == "Deny"
    assert azure.one(DATABASE).properties["network"] == {"publicNetworkAccess": "Disabled"}
    assert azure.of(f"{DATABASE}/firewallRules") == []
    rules = azure.one("Microsoft.EventHub/namespaces/networkRuleSets").properties
    assert rules["defaultAction"] == "Deny"
    assert rules["virtualNetworkRules"]  # a Deny without any rule is none
    targets = [
        (connection["properties"]["privateLinkServiceId"], *connection["properties"]["groupIds"])
        for one in azure.of("Microsoft.Network/privateEndpoints")
        for connection in one.properties["privateLinkServiceConnections"]
    ]
    storage, database, hubs, vault = (azure.one(kind).id for kind in (STORAGE, DATABASE, HUBS, VAULT))
    kept = {(storage, "blob"), (storage, "queue"), (database, "postgresqlServer")}
    assert set(targets) == kept | {(hubs, "namespace"), (vault, "vault")}
    assert azure.one(APP).properties["virtualNetworkSubnetId"] == subnet(azure, "app")


def test_every_private_address_has_a_name_in_the_network() -> None:
    """An endpoint without a zone is never found: names would still lead to the closed public address."""
    azure = deployed("private")
    zones = {one.id for one in azure.of("Microsoft.Network/privateDnsZones")}
    named = {
        config["properties"]["privateDnsZoneId"]
        for one in azure.of("Microsoft.Network/privateEndpoints/privateDnsZoneGroups")
        for config in one.properties["privateDnsZoneConfigs"]
    }
    links = azure.of("Microsoft.Network/privateDnsZones/virtualNetworkLinks")
    assert named == zones
    assert len(zones) == len(links) == len(azure.of("Microsoft.Network/privateEndpoints"))
    network = azure.one("Microsoft.Network/virtualNetworks").id
    assert {one.properties["virtualNetwork"]["id"] for one in links} == {network}


def test_the_app_s_subnet_is_one_that_flex_consumption_takes() -> None:
    """It must be delegated, and the endpoints have another."""
    subnets: list[dict[str, Any]] = deployed("private").one("Microsoft.Network/virtualNetworks").properties["subnets"]
    delegated = {
        one["name"]: [found["properties"]["serviceName"] for found in one["properties"].get("delegations", [])]
        for one in subnets
    }
    assert delegated == {"app": ["Microsoft.App/environments"], "services": []}


def test_there_is_no_network_unless_asked_for(azure: Deployment) -> None:
    """It has its price, and the app needs none."""
    assert not [one for one in azure.resources if one.kind.startswith("Microsoft.Network/")]
    assert azure.one(APP).properties["virtualNetworkSubnetId"] is None


def test_a_database_that_is_not_private_lets_in_what_has_an_address_of_azure_s_and_nothing_else(
    azure: Deployment,
) -> None:
    """The app has no address of its own; an operator adds a rule by hand."""
    assert azure.one(DATABASE).properties["network"] == {"publicNetworkAccess": "Enabled"}
    rule = azure.one(f"{DATABASE}/firewallRules")
    assert rule.properties == {"startIpAddress": "0.0.0.0", "endIpAddress": "0.0.0.0"}  # noqa: S104


def test_everything_says_what_happens_to_it(any_azure: Deployment) -> None:
    """Hubs, vault, app, database and storage send what Azure knows of them to the workspace."""
    told = {str(one.scope): one.properties for one in any_azure.of("Microsoft.Insights/diagnosticSettings")}
    services = [f"{STORAGE}/{service}Services" for service in ("blob", "queue")]
    ids = [any_azure.one(kind).id for kind in (STORAGE, DATABASE, HUBS, VAULT, APP, *services)]
    assert sorted(told) == sorted(ids)
    assert {one["workspaceId"] for one in told.values()} == {any_azure.outputs["WORKSPACE_ID"]}
    for kind in (DATABASE, HUBS, VAULT):
        assert all(log["enabled"] for log in told[any_azure.one(kind).id]["logs"])
    assert all(metric["enabled"] for one in told.values() for metric in one["metrics"])


def test_what_is_dear_is_logged_only_if_asked_for() -> None:
    """Requests to storage, of which each look into a queue is one, and the host's logs, which Application Insights has."""
    for name, chosen in (("file-integrity-elsewhere", True), ("default", False)):
        azure = deployed(name)
        told = {str(one.scope): one.properties for one in azure.of("Microsoft.Insights/diagnosticSettings")}
        for kind in (f"{STORAGE}/queueServices", APP):
            assert [log["enabled"] for log in told[azure.one(kind).id]["logs"]] == [chosen]


def subnet(azure: Deployment, name: str) -> str:
    """The id of a subnet."""
    return f"{azure.one('Microsoft.Network/virtualNetworks').id}/subnets/{name}"
