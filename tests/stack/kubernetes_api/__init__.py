"""A cluster as far as coverage asks it: what its API server answers, and what kubectl prints of it.

answers     objects -> the answer to a request, in the shapes of https://kubernetes.io/docs/reference/using-api/api-concepts/
server      the same over HTTPS on loopback, with its kubeconfig: for kubectl itself, where it is installed
kubectl     kubectl, as a function and as a program
"""
