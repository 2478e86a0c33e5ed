"""What the house measures, so that each change can be seen to make it smaller or larger.

    .venv/bin/python -m tests.house [--against COMMIT] [--names] [--gate]

figures.py  counts files, lines and words, by reading text and syntax alone
way.py      the files and functions that one alert passes, by running it
"""
