"""A cluster as kubectl prints it, and what its objects say of Defender's sensor. Pure.

    nodes         nodes: which can have a sensor at all, and which a DaemonSet chooses
    daemon_sets   Defender's DaemonSets among all of them, and what their status says
    pods          their pods
    objects       all of this for one cluster, with the events and labels that explain it
    rollout       one DaemonSet against all nodes
    faults        how many nodes it lacks, which, and why
    sensor        collector and publisher of one namespace, which together are a sensor; whether one is there, and runs
    exclusion     tags of Azure that keep the sensor off a cluster, and clusters that are stopped
    mends         the lines that mend a gap
    asks          the lines that answer what is unknown, said of their cluster

Where two documents say different things of one object, both stay, and the worse one counts.
https://kubernetes.io/docs/concepts/workloads/controllers/daemonset/
"""
