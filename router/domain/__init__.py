"""The ground floor: the words of this program as values, the protocols of its shell, and its errors.

Beside the standard library it has msgspec, and nothing here looks at a clock, a file, a log or a network.
"""
