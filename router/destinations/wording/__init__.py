"""What kinds of destination share in what people read: a notice in words, in a language, cut to fit.

briefing      a notice in words, in no vendor's form       headlines     the first line
changes       what an update says                          endings       what a resolution says
members       what a group's notice says of its members    posture       what a finding adds
evidence      lists of evidence by name                    repeats       what is said once though a message says it twice
times         times and lengths in words                   texts         going through every text of a notice

announcements what happened to rules, silences and holds

disclosure    what may be told at all                      withholding   what a destination never gets
ai_alerts     the outline of an alert about AI             item_names    the bare names in an item of evidence
masking       what looks like a credential                 credential_forms  which forms that has
languages     what each place makes of a text

plain_text    a briefing as text with headings             details       a notice as details by name
first_screen  the first screen of a phone                  screen_lines  its lines
subjects      what a title speaks of
shortening    a briefing cut to about a size               fitting       cutting to what a vendor takes
documents     a delivery as one JSON object of our own     placeholders  what `fields` of a ticket may hold
previews      what a kind sends, for a terminal
"""
