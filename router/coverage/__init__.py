"""Which workloads Defender watches: documents that people have -> facts -> a verdict for each workload and rung.

A document goes through these files in this order; all are pure.

    documents       bytes -> the objects in them
    envelopes       what stands around objects in answers of Azure: refusals, recordings, batches, rows
    pages           which of the lists were not given to their last page
    fields          values of an object, whatever the case of their names
    facts           what an object says, as values of the domain, found by what they are about
    readers/        one file for each sort of object: it says which ones it reads, and makes facts of them
    workloads       the workloads that an object is the document of, or names
    assignment/     which cluster or machine a document belongs to that does not say it
    case            one workload, what is expected of it, and all facts: what a judge is asked
    judges/         one file for each rung and sort of workload: a case -> a verdict
    absent          the workloads that the manifest names and no document does
    assess          every workload that is expected, on every rung
    sources         when each source was last heard of, and how long it may be silent
    gate            all of this, for the command line

What several judges ask stands in rooms beside them, one for each thing that is judged.

    plans/          Defender's plans at subscriptions and resources
    connectors/     AWS accounts and GCP projects, and the clusters in them
    subscriptions/  what is exported from a subscription, and subscriptions that are disabled
    machines/       machines, SQL Servers on them, and scale sets
    kubernetes/     a cluster as kubectl prints it
    admission/      the gates that may stand before a cluster
    remedies        command lines for the shell, quoted
    recency         how old what messages said may be        exclusion_tags   the tags that keep a sensor off

What is no file comes as documents, too.

    asking/         Azure and clusters, asked by the gate itself instead of by people
    stored          what the router itself knows, out of its state
    tags            the tags that documents say, for owners

What is expected stands in rules/coverage.yaml.

    expected/       the manifest: form, loading, problems, the workloads and sources it means, which of them are silent
    verdicts        what is known of a workload on a rung

A drill proves the way of an alert.

    drill/          a test alert, followed to every destination -> passed, failed or not proven

People see it by these.

    commands/       `coverage check|report|init` and `drill`, with what they are given
    report/         what was judged: as text, as JSON, for CI and as a page

All but `asking/`, `commands/`, `drill/azure`, `drill/running`, `expected/loading`, `report/page` and `report/text` is pure.

A fact that is absent makes nothing covered: each judge says what it needs to have seen, and where it has not, what would answer
it. So taking a document away never makes anything covered.
"""
