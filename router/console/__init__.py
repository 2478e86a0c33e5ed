"""The web console: what stands, why, and what a person may do about it.

`application` makes it of views. A view returns a document, plain data; its page renders that document, and the same URL with
`.json` gives it as it is. Nothing else is imported here: a process that takes a batch in never loads this room.
"""
