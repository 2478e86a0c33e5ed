"""The connectors of AWS accounts and GCP projects, and what they bring the clusters there: those have no subscription.

offerings             what the connectors of one account or project say together
cluster_plan          whether a cluster of EKS or GKE has the plan for containers
cluster_integration   whether something brings the sensor to such a cluster, and whether its control plane is logged
"""
