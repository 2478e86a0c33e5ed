"""Where everything is kept: signals, outbox, groups, partitions, record, quarantine and documents, in SQL.

store                the store, over either engine; engine is all in which SQLite and PostgreSQL differ
file, witness        the file that SQLite keeps, the lock beside it, and what notices that it lost something
upgrade, steps/      the tables, and how they are carried forward
stored_names         the names under which values are stored, whatever they are called in the code
codec, row_reader    values as bytes; the columns of a row, each refused by name where it is not what was written
signals, signal_rows  signals, what holds them, what rules can match of them
decisions            decisions on record, what finds their signals, counts and hits
describing           the report on a state
"""
