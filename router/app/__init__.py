"""Wires every room, and runs the router.

wiring       joins every room, as the settings and the rules say     settings     the only reader of the environment
service      what function_app's triggers and `alert-router serve` call  rules   the rulebooks, and what ingests by them
connections  the state and the namespace of the hubs                 delivery     the workers for each destination
maintenance  what runs on a clock                                    health       what works and what is late
drain        the end of a worker in order                            lazy         what a process opens at its first use
optional_packages  which extras are installed                      certificates which authorities are trusted
destination_readiness  which destinations can be asked with the settings as they are
rule_watch   has people hear of what happens to rules, silences and holds
signal_life  the life of a signal; signal_search  which one people mean   lookback    what a rule or silence would have held
paging_answer  whom a signal paged, or why nobody, and what is still to happen; signal_document  its life as JSON
signal_words  its life in words, one event after the other    alike    a silence and a rule for what is like it
silencing    a silence from what people write to what is stored     silences     read, listed, extended and ended
silence_preview  what one would hold; silence_bounds  how long one may last; fields  words, durations and instants as written
repairs      what people do to dead letters and the quarantine   destination_states  how each is; holds and releases
openid       who signs in at an issuer: what it is asked, and a token of it verified
report       what came in and what became of it, against the time before
notice_preview  what a destination would be told of a signal, or was told last
"""
