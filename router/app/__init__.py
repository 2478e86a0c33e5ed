"""Wires every room, and runs the router.

wiring       every room joined, as the settings and the rules say        settings     the only reader of the environment
rules        the rulebooks, and what reads and takes in by them          readiness    which destinations can be asked
delivery     what delivers to each destination                           connections  the storage account and the namespace
identity     who the router is in Azure                                  clock        what tells the time
service      what function_app's triggers and `alert-router serve` call  once         opens it at its first use
maintenance  what runs on a clock                                        health       what works and what is late
drain        the end of a worker in order
"""
