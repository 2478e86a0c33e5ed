"""Which workloads Defender watches: documents that people have -> facts -> a verdict for each workload and rung.

A document goes through these files in this order; all are pure.

    documents       bytes -> the objects in them, and the answers that are errors
    truncated_lists which of the lists were not given to their last page
    fields          values of an object, whatever the case of their names
    facts           what an object says, found by its subject; the case that a judge is asked about
    readers/        objects -> facts: a table says which function reads which type
    workloads       the workloads that an object is the document of, or names; the tags that keep a sensor off
    assignment      which cluster or machine a document belongs to that does not say it
    judges/         a case -> a verdict: a table says which function judges which kind and rung
    assess          every workload that is expected, on every rung
    sources         when each source was last heard of, and how long it may be silent
    gate            all of this, for the command line

What several judges ask stands beside them.

    plans/          Defender's plans at subscriptions and resources
    recommendations what recommendations say together, and whether posture is on
    machine_states  whether a machine is on, new or left out, and whether its sensor is seen to run
    kubernetes/     a cluster as kubectl prints it
    admission/      the gates that may stand before a cluster
    remedies        command lines for the shell, quoted

What is no file comes as documents, too.

    asking/         Azure and clusters, asked by the gate itself instead of by people
    stored          what the router itself knows, out of its state, and its facts
    last_check      what a check found last, as a state keeps it for the console

What is expected stands in rules/coverage.yaml.

    expected/       the manifest: its form, loading it and its problems, the workloads it means, sources that are silent
    verdicts        what is known of a workload on a rung

A drill proves the way of an alert.

    drill/          a test alert, followed to every destination -> passed, failed or not proven

People see it by these.

    commands/       `coverage check|report|init` and `drill`; the documents that they are given, the tags that they keep
    report/         what was judged: as text, as JSON, for CI and as a page

All but `asking/`, `commands/`, `drill/azure`, `drill/running`, `expected/loading`, `report/page` and `report/text` are pure.

A fact that is absent makes nothing covered: each judge says what it needs to have seen, and where it has not, what would answer
it. So taking a document away never makes anything covered.
"""
