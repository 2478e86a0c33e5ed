"""Where everything is kept: ledger, outbox, journal, groups, record, quarantine and documents, in SQLite or in Azure Storage.

outbox/              the outbox of both stores, over the few things that a table of either can do
sqlite/, azure/      one store each: the table of the outbox, and all the rest
stored_names         the names under which values are stored, whatever they are called in the code
codec, row_reader    values as bytes; the columns of a row, each refused by name where it is not what was written
aggregation_entries  the states of groups, as both stores keep them
"""
