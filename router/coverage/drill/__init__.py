"""A drill: a test alert is raised, followed to the hub, to its decision and to every destination, and judged. Pure.

Azure, the state and the clock are asked by `router/coverage/drill/running.py`.
https://learn.microsoft.com/azure/defender-for-cloud/alert-validation
"""
