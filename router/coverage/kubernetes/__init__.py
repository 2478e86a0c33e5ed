"""A cluster as kubectl prints it, and what its objects say of Defender's sensor.

    nodes         nodes, and which of them can have a sensor at all
    scheduling    which nodes a DaemonSet chooses, and what keeps it off the others
    daemon_sets   Defender's DaemonSets among all of them, and what their status says
    pods          their pods
    creation      why pods are not made: Pod Security, admission webhooks, quotas
    objects       all of this for one cluster
    findings      one DaemonSet on one node, by its pods there and the counts in its status
    rollout       one DaemonSet against all nodes
    faults        how many nodes it lacks, which, and why
    deployment    collector and publisher of one namespace, which together are a sensor
    sensor        all sensors of a cluster: whether one is there, and whether one runs
    exclusion     tags of Azure that keep the sensor off a cluster, and clusters that are stopped
    commands      the lines that mend a gap
    asks          the lines that answer what nobody asked
    contexts      each of these lines, said of its cluster
    cluster_names what a cluster of EKS or GKE is called in kubectl, and which cloud one is of by its name

Where two documents say different things of one object, both stay, and the worse one counts.
https://kubernetes.io/docs/concepts/workloads/controllers/daemonset/
"""
