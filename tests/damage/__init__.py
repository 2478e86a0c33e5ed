"""One damaged row, in either store, costs nobody but itself."""
