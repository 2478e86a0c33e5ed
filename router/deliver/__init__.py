"""The one delivery engine, and all network I/O to destinations.

A `delivery_loop` claims, sends and settles what is due in one lane. What it knows of each stands in `destination`, and a
`sender` holds one conversation through the ways out: http, mail, logs_ingestion, tokens, azure_transport.
"""
