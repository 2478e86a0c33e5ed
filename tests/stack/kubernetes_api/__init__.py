"""The API server of a cluster, as far as coverage asks it: what it answers, faults on purpose, and HTTPS on loopback.

answers     objects -> the answer to a request, in the shapes of https://kubernetes.io/docs/reference/using-api/api-concepts/
faults      answers that are none
server      the same over HTTP or HTTPS on loopback, with its kubeconfig
"""
