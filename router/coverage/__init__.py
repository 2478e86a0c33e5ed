"""Which workloads Defender watches: documents that people have -> facts -> a verdict for each workload and rung.

A document goes through these files in this order; all are pure.

    documents   bytes -> the objects in them, whatever list, page, answer or recording they stand in
    fields      values of an object, whatever the case of their names
    facts       what an object says, as values of the domain, found by what they are about
    readers/    one file for each sort of object: it says which ones it reads, and makes facts of them
    clusters    which cluster kubectl's objects belong to, since they do not say
    judges/     one file for each rung: facts of a workload -> a verdict
    assess      every workload that is expected, on every rung

A fact that is absent makes nothing covered: each judge says what it needs to have seen, and where it has not, what would answer
it. So taking a document away never makes anything covered.
"""
