"""The accounts of AWS and the projects of GCP: which of their plans are on, and whether those bring sensors and logs."""

from __future__ import annotations

import pytest

from router.coverage.expected.manifest import NO_MANIFEST, CoverageManifest, Expectation
from router.coverage.verdicts import CoverageState, Verdict
from router.domain.coverage import Rung, WorkloadKind
from tests.coverage.builders import SUBSCRIPTION, Json, connector, eks_cluster, judged, offering, resource, verdict

COVERED, GAP, UNKNOWN = CoverageState.COVERED, CoverageState.GAP, CoverageState.UNKNOWN

PROTECTION = ("DefenderForServers", "DefenderForContainers", "DefenderForDatabases")


def offerings(*names: str, cloud: str = "Aws") -> list[Json]:
    """Plans that are on."""
    return [offering(f"{name}{cloud}") for name in names]


def plan(*documents: object, manifest: CoverageManifest = NO_MANIFEST) -> Verdict:
    """What is known of the plans of the account."""
    return verdict(judged(*documents, manifest=manifest), "shop", Rung.PLAN)


def expecting(**plans: str | None) -> CoverageManifest:
    """A manifest that expects those plans, each with a sub-plan."""
    return CoverageManifest(expectations=(Expectation(plans=plans),), is_given=True)


@pytest.mark.parametrize(
    ("cloud", "suffix", "kind"), [("AWS", "Aws", WorkloadKind.AWS_ACCOUNT), ("GCP", "Gcp", WorkloadKind.GCP_PROJECT)]
)
def test_a_connector_names_what_it_connects(cloud: str, suffix: str, kind: WorkloadKind) -> None:
    """By the account or the project's number; in the forms of REST and of `az`, which has no `properties`."""
    rest = connector(*offerings(*PROTECTION, cloud=suffix), cloud=cloud, account="42")
    properties = rest["properties"]
    assert isinstance(properties, dict)
    flat = {**{key: value for key, value in rest.items() if key != "properties"}, **properties}
    for one in (rest, flat, [flat], {"data": [rest], "totalRecords": 1}):
        (row,) = judged(one).assessed.rows
        assert (row.workload.kind, row.workload.id, row.workload.name) == (kind, "42", "shop")
        assert row.verdicts[Rung.PLAN].state is COVERED


def test_connectors_to_code_and_registries_are_not_judged() -> None:
    """They protect no workload."""
    result = judged(connector(offering("CspmMonitorGithub"), cloud="Github"))
    assert result.assessed.rows == ()
    assert [name for name, _ in result.unused] == ["1.json"]


def test_a_plan_without_its_offering_is_off_and_named() -> None:
    """An account that is connected for EKS needs no plan for databases, unless the manifest says so. Posture is a remark."""
    eks = connector(*offerings("DefenderForContainers", "CspmMonitor"))
    found = plan(eks)
    limit = "DefenderForServersAws, DefenderForDatabasesAws are off, and not among the plans of coverage.yaml"
    assert (found.state, found.limits) == (COVERED, (limit,))
    assert found.remarks[0] == "DefenderCspmAws is off, which is posture"
    found = plan(eks, manifest=expecting(Containers=None, VirtualMachines=None))
    assert (found.state, found.reason) == (GAP, "DefenderForServersAws is off")
    found = plan(connector(*offerings("CspmMonitor")))
    assert (found.state, found.reason.endswith("are off"), "Servers" in found.reason) == (GAP, True, True)


def test_a_connector_whose_offerings_are_not_said_is_unknown() -> None:
    """As in a projection of Resource Graph."""
    row = connector()
    assert plan({**row, "properties": {"environmentName": "AWS", "hierarchyIdentifier": "1"}}).state is UNKNOWN
    assert plan(row).state is GAP


@pytest.mark.parametrize(
    ("manifest", "state"),
    [
        (expecting(DefenderForServersAws=None), COVERED),
        (expecting(VirtualMachines=None), COVERED),
        (expecting(virtualmachines="p2"), COVERED),
        (expecting(VirtualMachines="P1"), COVERED),
        (expecting(Containers=None), GAP),
        (expecting(SqlServerVirtualMachines=None), GAP),
        (expecting(CloudPosture=None), GAP),
        (expecting(DefenderCspmAws=None, DefenderForServersAws="P2"), GAP),
        (expecting(DefenderForServersGcp=None, DefenderForServersAws=None), COVERED),
        (expecting(KeyVaults="PerKeyVault"), COVERED),
        (CoverageManifest(expectations=(Expectation(plans={"VirtualMachines": None}),), expects_posture=True), GAP),
    ],
)
@pytest.mark.parametrize("sub_plan", ["P2", {"type": "P2"}])
def test_a_manifest_names_the_plans_as_azure_or_as_the_connector_does(
    manifest: CoverageManifest, state: CoverageState, sub_plan: object
) -> None:
    """Where it names none that other clouds have, one that protects is expected."""
    assert plan(connector(offering("DefenderForServersAws", subPlan=sub_plan)), manifest=manifest).state is state


def test_a_sub_plan_that_no_document_says_is_unknown() -> None:
    """It is a gap only where one that lacks something is named."""
    needs = expecting(VirtualMachines="P2")
    assert plan(connector(offering("DefenderForServersAws")), manifest=needs).state is UNKNOWN
    assert plan(connector(offering("DefenderForServersAws", subPlan="P1")), manifest=needs).state is GAP


def test_two_documents_of_one_connector_leave_what_both_have() -> None:
    """Two connectors of one account have what either has."""
    whole, less = connector(*offerings(*PROTECTION)), connector(*offerings("DefenderForServers"))
    assert plan(whole, less, manifest=expecting(Containers=None)).state is GAP
    assert plan(whole, manifest=expecting(Containers=None)).state is COVERED
    other = connector(*offerings("DefenderForContainers", "DefenderForDatabases"), name="shop-2")
    result = judged(less, other)
    (row,) = result.assessed.rows
    assert row.verdicts[Rung.PLAN].state is COVERED


def test_connectors_of_two_subscriptions_cover_as_far_as_both_say() -> None:
    """What is off in one of them stays a gap, also where the other one says nothing at all."""
    full = connector(servers(subPlan="P2"), containers())
    silent = {**full, "properties": {"environmentName": "AWS", "hierarchyIdentifier": "123456789012"}}
    off = connector(servers(subPlan="P1", mde=False), containers(sensor=False))
    for mine, state in ((full, COVERED), (silent, UNKNOWN), (connector(*offerings(*PROTECTION)), UNKNOWN), (off, GAP)):
        for other in (full, silent):
            theirs = {**other, "id": str(other["id"]).replace(SUBSCRIPTION, SUBSCRIPTION.replace("1", "9"))}
            expected = UNKNOWN if state is COVERED and other is silent else state
            result = judged(
                eks_cluster("audit", "authenticator"), mine, theirs, manifest=expecting(VirtualMachines="P2")
            )
            assert verdict(result, "shop", Rung.PLAN).state is expected
            assert verdict(result, "shop", Rung.INTEGRATION).state is expected
            assert verdict(result, "checkout", Rung.INTEGRATION).state is expected


def test_an_account_and_a_project_of_one_number_are_two() -> None:
    """What is on in one cloud covers nothing in the other."""
    google = connector(*offerings(*PROTECTION, cloud="Gcp"), cloud="GCP", name="google", account="123456789012")
    result = judged(connector(), google)
    assert verdict(result, "shop", Rung.PLAN).state is GAP
    assert verdict(result, "google", Rung.PLAN).state is COVERED


@pytest.mark.parametrize(
    ("documents", "state"),
    [
        ((connector(*offerings("DefenderForContainers")),), COVERED),
        ((connector(*offerings("DefenderForServers")),), GAP),
        ((connector(*offerings("DefenderForContainers"), account="1"),), UNKNOWN),
        ((), UNKNOWN),
    ],
)
def test_the_plan_of_a_cluster_of_eks_is_that_of_its_account(documents: tuple[Json, ...], state: CoverageState) -> None:
    """It has no subscription."""
    assert verdict(judged(eks_cluster(), *documents), "checkout", Rung.PLAN).state is state


def test_what_an_organization_leaves_out_is_said() -> None:
    """No document of its own speaks of such an account."""
    one = connector(*offerings(*PROTECTION))
    properties = one["properties"]
    assert isinstance(properties, dict)
    properties["environmentData"]["organizationalData"] = {"excludedAccountIds": ["1", "2"]}
    assert "its organization leaves out 1, 2" in plan(one).remarks


def servers(*, mde: bool | None = True, arc: bool = True, **fields: object) -> Json:
    """The plan for servers."""
    switch = {} if mde is None else {"mdeAutoProvisioning": {"enabled": mde, "configuration": {}}}
    return offering("DefenderForServersAws", **switch, arcAutoProvisioning={"enabled": arc}, **fields)


def containers(*, sensor: bool | None = True, logs: bool | None = True, **fields: object) -> Json:
    """The plan for containers."""
    switches = {"enableDefenderAgentAutoProvisioning": sensor, "enableAuditLogsAutoProvisioning": logs}
    said = {name: on for name, on in switches.items() if on is not None}
    return offering("DefenderForContainersAws", **said, **fields)


@pytest.mark.parametrize(
    ("offered", "state"),
    [
        ((servers(), containers()), COVERED),
        ((servers(mde=False), containers()), GAP),
        ((servers(mde=None), containers()), UNKNOWN),
        ((servers(arc=False),), COVERED),
        ((containers(sensor=False),), GAP),
        ((containers(logs=False),), GAP),
        ((containers(logs=None),), UNKNOWN),
        ((containers(sensor=False, installationMethod="Helm"),), COVERED),
        ((containers(sensor=None, installationMethod="Arc"),), UNKNOWN),
    ],
)
def test_the_plans_of_a_connector_bring_sensors_and_logs(offered: tuple[Json, ...], state: CoverageState) -> None:
    """Each switch of the plans that are on must be known to be on."""
    assert verdict(judged(connector(*offered)), "shop", Rung.INTEGRATION).state is state


def test_switches_that_nobody_speaks_of_are_named() -> None:
    """All of them, since one answer says each."""
    for offered, said in (
        ([servers(mde=None)], "whether mdeAutoProvisioning.enabled is on"),
        (
            [servers(mde=None), containers(logs=None)],
            "mdeAutoProvisioning.enabled and enableAuditLogsAutoProvisioning are on",
        ),
    ):
        assert said in verdict(judged(connector(*offered)), "shop", Rung.INTEGRATION).reason


def test_a_connector_of_posture_alone_has_nothing_to_bring() -> None:
    """The rung plan says that all else is off."""
    (row,) = judged(connector(*offerings("CspmMonitor"))).assessed.rows
    assert row.verdicts.keys() == {Rung.PLAN}


def test_a_projection_of_a_connector_hides_no_switch_of_another_document() -> None:
    """What one document does not say, the other does; what they say otherwise is off."""
    silent = connector(offering("DefenderForServersAws"))
    for documents, state in (
        ((connector(servers()), silent), COVERED),
        ((connector(servers()), connector(servers(mde=False))), GAP),
    ):
        assert verdict(judged(*documents), "shop", Rung.INTEGRATION).state is state


def test_what_agentless_scans_skip_is_said() -> None:
    """By the tags of machines."""
    scanners = {"enabled": True, "configuration": {"exclusionTags": {"team": "lab"}}}
    found = verdict(judged(connector(servers(arc=False, vmScanners=scanners))), "shop", Rung.INTEGRATION)
    assert found.remarks == (
        "the connector does not deploy Azure Arc on machines, so somebody else must",
        "agentless scans of defenderforserversaws skip machines with the tags team",
    )


def test_an_unknown_account_asks_for_every_connector() -> None:
    """By one query."""
    row = resource(
        "/subscriptions/s/resourceGroups/r/providers/Microsoft.Security/securityConnectors/shop",
        "microsoft.security/securityconnectors",
        {"environmentName": "AWS", "hierarchyIdentifier": "7"},
    )
    assert (plan(row).remedy or "").startswith("az graph query -q 'resources | where type =~ ")


def test_a_connector_that_does_not_say_a_switch_is_asked_itself() -> None:
    """The query that lists all of them was answered."""
    found = verdict(judged(connector(servers(mde=None))), "shop", Rung.INTEGRATION)
    assert found.state is CoverageState.UNKNOWN
    assert found.remedy == f"az resource show --ids {str(connector()['id']).lower()} -o json"
