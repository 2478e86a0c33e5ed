"""Asking Azure and clusters while the gate waits. What was refused, cut or unreadable becomes a document with a refusal.

patience        a few questions at a time, again what may succeed later, and a time limit
azure           everything that Azure is asked, in order; what it asks stands in these:
resource_graph  few calls over many subscriptions
arm             Resource Manager: lists for each subscription, and single resources
azure_api       Azure's endpoints, their tokens and their quotas
clusters        what clusters are asked
kubeconfig      which contexts there are, and which of them must not be asked
kubectl         kubectl for one context, bounded
"""
