"""Which workload a document belongs to that does not say it itself: `NAME=FILE` does.

clusters      what kubectl prints names no cluster
machines      what `mdatp health` prints names no machine
"""
