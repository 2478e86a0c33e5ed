"""A cluster as kubectl prints it, and what its objects say of Defender's sensor. Pure.

Where two documents say different things of one object, both stay, and the worse one counts.
https://kubernetes.io/docs/concepts/workloads/controllers/daemonset/
"""
