"""Azure Resource Manager, Resource Graph and the query API of Log Analytics on loopback, over an estate that is made up.

estate      subscriptions and what is in them, as rows
queries     the few queries that are known -> their rows; it is no engine of the query language
management  a request -> the answer, in the recorded shapes
faults      what may be wrong with an answer
server      all of this behind a port of 127.0.0.1
"""
