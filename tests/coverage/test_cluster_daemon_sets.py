"""Defender's DaemonSets are found among all others, whatever they are called."""

from __future__ import annotations

import pytest

from router.coverage.verdicts import CoverageState
from tests.coverage.builders import Json, nodes
from tests.coverage.kubernetes_builders import COLLECTOR, PUBLISHER, as_object, part, publisher, running

IMAGES = [
    "mcr.microsoft.com/azuredefender/stable/pod-collector:1",
    "mcr.azure.cn/azuredefender/stable/low-level-collector@sha256:0",
    "mirror.example.com:5000/mcr/azuredefender/stable/low-level-collector:2",
]


@pytest.mark.parametrize(
    ("name", "where", "image"),
    [
        (COLLECTOR, "kube-system", IMAGES[0]),
        ("microsoft-defender-collectors-ds", "mdc", IMAGES[0]),
        ("microsoft-defender-collectors-ds", "kube-system", IMAGES[1]),
        (COLLECTOR, "mdc", IMAGES[2]),
        (COLLECTOR, "azuredefender", "mirror.example.com/no/name/of/defender"),
        ("renamed-by-somebody", "security", IMAGES[2]),
    ],
)
def test_a_collector_is_found_however_it_was_deployed(name: str, where: str, image: str) -> None:
    """By its image in every registry that mirrors it, else by its name."""
    objects = [part(name, namespace=where, image=image), publisher(namespace=where), *nodes()]
    found = running(*objects)
    assert found.state is CoverageState.COVERED
    assert any("by its name alone" in one for one in found.remarks) is ("azuredefender/" not in image)


@pytest.mark.parametrize("image", ["registry.k8s.io/pause:3.9", "busybox", "mirror.example.com:5000/ubuntu@sha256:0"])
def test_what_does_nothing_in_the_place_of_a_sensor_is_none(image: str) -> None:
    """Somebody had peace from it for a while: it is ready on every node, and collects nothing."""
    found = running(part(COLLECTOR, image=image), part(PUBLISHER, image=image), *nodes())
    assert found.state is CoverageState.GAP
    assert any(image in one and COLLECTOR in one for one in found.remarks)


@pytest.mark.parametrize(
    "labels",
    [{"dsName": "microsoft-defender-collector"}, {"app": "defender-k8s-sensor", "dsName": "collectors"}],
)
def test_a_collector_is_found_by_its_labels_where_name_and_image_are_others(labels: Json) -> None:
    """Those of the add-on, and those of Helm."""
    body = part("renamed", image="mirror.example.com/renamed")
    spec = {**as_object(body, "spec"), "selector": {"matchLabels": labels}}
    assert running({**body, "spec": spec}, publisher(), *nodes()).state is CoverageState.COVERED


@pytest.mark.parametrize(
    ("name", "image"),
    [
        ("microsoft-defender-pod-collector-misc", IMAGES[0]),
        ("microsoft-defender-pod-collector-virtual-kubelet", IMAGES[0]),
        ("microsoft-defender-something-ds", "mcr.microsoft.com/azuredefender/stable/anti-malware-collector:1.0.16"),
        ("collector", "example.com/notazuredefender/stable/pod-collector:1"),
        ("otel-collector", "otel/opentelemetry-collector"),
    ],
)
def test_what_is_beside_a_sensor_is_no_collector(name: str, image: str) -> None:
    """Neither another product's, nor what runs once in a cluster, nor anti-malware alone."""
    assert running(part(name, image=image), publisher(), *nodes()).state is CoverageState.GAP
