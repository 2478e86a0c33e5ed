"""Where everything is kept, in SQL: a module of functions for each topic, which take a transaction.

store, engine        the state, and its transactions on SQLite and PostgreSQL; bulk is one statement for many rows
conninfo             the address of a database, and how it is connected to
file, witness, private  the file that SQLite keeps, the lock beside it, what notices that it lost something, who may read it
upgrade, steps/      the tables, and how they are carried forward

signals, signal_rows    signals, what holds them, what rules can match of them
decisions               decisions on record, what finds their signals, and counts
groups                  groups, their members, the alerts that incidents name, and openings
deliveries              what is owed, and its rows; claims: claiming and settling; dead_letters: what was given up on
delivery_status         how far deliveries have come, and what is due; destinations: who refuses our credentials
partitions              what of a hub is taken in, tried and lost, and which process reads which partition
sources, rules          when each source was last heard of, and which are silent; since when rules are known, and their hits
documents, quarantine   silences, holds, facts; what was not understood, and rows that cannot be read
forgetting, describing  what is old enough to go; the report on a state

codec                   values as columns hold them, and the columns of a row as values again
"""
