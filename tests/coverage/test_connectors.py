"""The accounts of AWS and the projects of GCP: which of their plans are on, and whether those bring sensors and logs."""

from functools import partial

import pytest

from router.coverage.verdicts import Verdict
from router.domain.coverage import Rung, WorkloadKind
from tests.coverage import builders as az
from tests.coverage.builders import COVERED, GAP, UNKNOWN, Hold, Json, connector, eks_cluster, judged, offering, verdict
from tests.coverage.kubernetes_builders import as_object

PROTECTION = ("DefenderForServers", "DefenderForContainers", "DefenderForDatabases")


def offerings(*names: str, cloud: str = "Aws") -> list[Json]:
    """Plans that are on."""
    return [offering(f"{name}{cloud}") for name in names]


plan = partial(az.known, of="shop", on=Rung.PLAN)


def integration(*offered: Json) -> Verdict:
    """Whether a connector with those plans brings sensors and logs."""
    return verdict(judged(connector(*offered)), "shop", Rung.INTEGRATION)


def servers(*, mde: bool | None = True, arc: bool = True, **fields: object) -> Json:
    """The plan for servers."""
    switch = {} if mde is None else {"mdeAutoProvisioning": {"enabled": mde, "configuration": {}}}
    return offering("DefenderForServersAws", **switch, arcAutoProvisioning={"enabled": arc}, **fields)


def containers(*, sensor: bool | None = True, logs: bool | None = True, **fields: object) -> Json:
    """The plan for containers."""
    switches = {"enableDefenderAgentAutoProvisioning": sensor, "enableAuditLogsAutoProvisioning": logs}
    said = {name: on for name, on in switches.items() if on is not None}
    return offering("DefenderForContainersAws", **said, **fields)


def test_a_connector_names_what_it_connects() -> None:
    """By account or project's number, in each form; connectors to code and registries protect no workload."""
    for cloud, suffix, kind in (("AWS", "Aws", WorkloadKind.AWS_ACCOUNT), ("GCP", "Gcp", WorkloadKind.GCP_PROJECT)):
        rest = connector(*offerings(*PROTECTION, cloud=suffix), cloud=cloud, account="42")
        flat = {**{key: value for key, value in rest.items() if key != "properties"}, **as_object(rest, "properties")}
        for one in (rest, flat, [flat], {"data": [rest], "totalRecords": 1}):
            (row,) = judged(one).assessed.rows
            assert (row.workload.kind, row.workload.id, row.workload.name) == (kind, "42", "shop")
            assert row.verdicts[Rung.PLAN].state is COVERED
    google = connector(*offerings(*PROTECTION, cloud="Gcp"), cloud="GCP", name="google", account="123456789012")
    result = judged(connector(), google)
    assert [verdict(result, name, Rung.PLAN).state for name in ("shop", "google")] == [GAP, COVERED]
    result = judged(connector(offering("CspmMonitorGithub"), cloud="Github"))
    assert (result.assessed.rows, [name for name, _ in result.unused]) == ((), ["1.json"])


def test_a_plan_without_its_offering_is_off_and_named(hold: Hold) -> None:
    """EKS needs no plan for databases unless the manifest says so; its plan is its account's. Unsaid offerings are asked."""
    eks, on = connector(*offerings("DefenderForContainers", "CspmMonitor")), offerings("DefenderForContainers")
    limit = "DefenderForServersAws, DefenderForDatabasesAws are off, and not among the plans of coverage.yaml"
    unsaid = {**connector(), "properties": {"environmentName": "AWS", "hierarchyIdentifier": "1"}}
    hold(
        plan,
        (COVERED, "DefenderCspmAws is off, which is posture", [eks]),
        (GAP, "are off", [connector(*offerings("CspmMonitor"))], [connector()]),
        (UNKNOWN, "", "az graph query -q 'resources | where type =~ ", [unsaid]),
    )
    assert plan(eks).limits == (limit,)
    both = plan(eks, manifest=az.expecting_plans({"Containers": None, "VirtualMachines": None}))
    assert (both.state, both.reason) == (GAP, "DefenderForServersAws is off")
    hold(
        partial(az.known, eks_cluster(), of="checkout", on=Rung.PLAN),
        (COVERED, [connector(*on)]),
        (GAP, [connector(*offerings("DefenderForServers"))]),
        (UNKNOWN, [], [connector(*on, account="1")]),
    )


def test_a_manifest_names_the_plans_as_azure_or_as_the_connector_does(subtests: pytest.Subtests) -> None:
    """Where it names none that other clouds have, one that protects is expected. A sub-plan that is not said is unknown."""
    both = {"DefenderForServersGcp": None, "DefenderForServersAws": None}
    needs = az.expecting_plans({"VirtualMachines": "P2"})
    covered: list[dict[str, str | None]] = [{"DefenderForServersAws": None}, {"VirtualMachines": None}, {**both}]
    covered += [{"virtualmachines": "p2"}, {"VirtualMachines": "P1"}, {"KeyVaults": "PerKeyVault"}]
    gaps: list[dict[str, str | None]] = [
        {"Containers": None},
        {"SqlServerVirtualMachines": None},
        {"CloudPosture": None},
    ]
    gaps += [{"DefenderCspmAws": None, "DefenderForServersAws": "P2"}]
    for sub_plan in ("P2", {"type": "P2"}):
        one = connector(offering("DefenderForServersAws", subPlan=sub_plan))
        posture = plan(one, manifest=az.expecting_plans({"VirtualMachines": None}, expects_posture=True))
        assert posture.state is GAP
        for plans in (*covered, *gaps):
            with subtests.test(plans=plans, sub_plan=sub_plan):
                state = plan(one, manifest=az.expecting_plans(plans)).state
                assert state is (COVERED if plans in covered else GAP)
    assert plan(connector(offering("DefenderForServersAws")), manifest=needs).state is UNKNOWN
    assert plan(connector(offering("DefenderForServersAws", subPlan="P1")), manifest=needs).state is GAP


def test_several_documents_and_connectors_cover_as_far_as_all_say() -> None:
    """Two connectors of one account have what either has; of two subscriptions, what is off in one stays a gap."""
    whole, less = connector(*offerings(*PROTECTION)), connector(*offerings("DefenderForServers"))
    assert plan(whole, less, manifest=az.expecting_plans({"Containers": None})).state is GAP
    assert plan(whole, manifest=az.expecting_plans({"Containers": None})).state is COVERED
    (row,) = judged(less, connector(*offerings(*PROTECTION[1:]), name="shop-2")).assessed.rows
    assert row.verdicts[Rung.PLAN].state is COVERED
    for other, state in ((less, COVERED), (connector(servers(mde=False)), GAP)):
        assert verdict(judged(connector(servers()), other), "shop", Rung.INTEGRATION).state is state
    full = connector(servers(subPlan="P2"), containers())
    silent = {**full, "properties": {"environmentName": "AWS", "hierarchyIdentifier": "123456789012"}}
    off = connector(servers(subPlan="P1", mde=False), containers(sensor=False))
    logged = eks_cluster("audit", "authenticator")
    for mine, state in ((full, COVERED), (silent, UNKNOWN), (connector(*offerings(*PROTECTION)), UNKNOWN), (off, GAP)):
        for other in (full, silent):
            theirs = {**other, "id": str(other["id"]).replace(az.SUBSCRIPTION, az.SUBSCRIPTION.replace("1", "9"))}
            result = judged(logged, mine, theirs, manifest=az.expecting_plans({"VirtualMachines": "P2"}))
            cells = (("shop", Rung.PLAN), ("shop", Rung.INTEGRATION), ("checkout", Rung.INTEGRATION))
            expected = UNKNOWN if state is COVERED and other is silent else state
            assert {verdict(result, *cell).state for cell in cells} == {expected}


def test_the_plans_of_a_connector_bring_sensors_and_logs(hold: Hold) -> None:
    """Each switch must be known to be on; one unsaid is asked. What an organization or tags leave out is said."""
    silent, silent_too = servers(mde=None), containers(logs=None)
    both = "mdeAutoProvisioning.enabled and enableAuditLogsAutoProvisioning are on"
    show = f"az resource show --ids {str(connector()['id']).lower()} -o json"
    hold(
        integration,
        (COVERED, [servers(), containers()], [servers(arc=False)]),
        (COVERED, [containers(sensor=False, installationMethod="Helm")]),
        (GAP, [servers(mde=False), containers()], [containers(sensor=False)], [containers(logs=False)]),
        (UNKNOWN, "whether mdeAutoProvisioning.enabled is on", show, [silent], [silent, containers()]),
        (UNKNOWN, both, show, [silent, silent_too]),
        (UNKNOWN, [silent_too], [containers(sensor=None, installationMethod="Arc")]),
    )
    (row,) = judged(connector(*offerings("CspmMonitor"))).assessed.rows
    assert row.verdicts.keys() == {Rung.PLAN}
    one = connector(*offerings(*PROTECTION))
    properties = as_object(one, "properties")
    data = {**as_object(properties, "environmentData"), "organizationalData": {"excludedAccountIds": ["1", "2"]}}
    said = plan({**one, "properties": {**properties, "environmentData": data}}).remarks
    assert "its organization leaves out 1, 2" in said
    scanners = {"enabled": True, "configuration": {"exclusionTags": {"team": "lab"}}}
    assert integration(servers(arc=False, vmScanners=scanners)).remarks == (
        "the connector does not deploy Azure Arc on machines, so somebody else must",
        "agentless scans of defenderforserversaws skip machines with the tags team",
    )
