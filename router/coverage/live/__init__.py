"""What is asked of Azure and of clusters while the gate waits: probes, which yield requests and end in documents. Pure.

    probes      the form of a probe, and of an inquiry, whose later probes depend on what earlier ones found
    clouds      the endpoints of Azure's clouds, which alone are asked
    answers     an answer of HTTP -> an object, or the reason why there is none

    azure       everything that Azure is asked, in order; what it asks stands in these:
    subscriptions   which subscriptions are asked, and which of them do not appear
    resource_graph, graph_queries   Resource Graph: few calls over many subscriptions
    arm, security_reads     Azure Resource Manager: three lists for each subscription
    overrides   which resources are asked whether their plan is off there
    workspaces  Log Analytics: when the sensor of each cluster last sent a row

    kubeconfig          kubeconfig files -> which API server a context is, and who asks it
    contexts            which contexts are asked, and as which clusters they count
    credential_plugins  what the programs that give out credentials are asked and answer
    cluster_probe       what one cluster is asked
    cluster_lists       its lists, page by page
    cluster_discovery   which kinds it has

`router/app/asking.py` runs them; `azure_api.py` and `kubernetes_connection.py` beside it sign in, wait and try again. A probe
sees the last answer, or `Unavailable` where none came. What was refused, cut or unreadable becomes a document with a refusal,
so that it is unknown and never covered.
"""
