"""Log Analytics: rows of the tables that Sentinel reads, in our own columns or in OCSF's."""
