"""What coverage is spoken of in: kinds of workloads, and the rungs of the ladder from plan to detection. Pure.

An enabled plan is a billing fact: it says that it is paid for, not that a sensor runs. Each rung of the ladder proves more than
the one below it.
"""

from __future__ import annotations

from enum import StrEnum


class WorkloadKind(StrEnum):
    """What can be covered."""

    MACHINE = "machine"
    CLUSTER = "cluster"
    REGISTRY = "registry"
    SQL_SERVER = "sql-server"
    SQL_ON_MACHINE = "sql-on-machine"
    COSMOS_DB = "cosmos-db"
    OPEN_SOURCE_DATABASE = "open-source-database"
    STORAGE_ACCOUNT = "storage-account"
    SUBSCRIPTION = "subscription"
    AWS_ACCOUNT = "aws-account"
    GCP_PROJECT = "gcp-project"


class Rung(StrEnum):
    """What is to be proved of a workload, from the bottom of the ladder up."""

    PLAN = "plan"
    INTEGRATION = "integration"
    SENSOR_INSTALLED = "sensor-installed"
    SENSOR_RUNNING = "sensor-running"
    ADMISSION_AUDITS = "admission-audits"
    ADMISSION_DENIES = "admission-denies"
    SUPPRESSION = "suppression"
    EXPORT = "export"
    PATH = "path"
    DETECTION = "detection"
