"""The ground floor: the words of this program as frozen values, the protocols of its shell, and its errors.

Standard library only, and nothing here looks at a clock, a file, a log or a network.
"""
