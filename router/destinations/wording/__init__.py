"""What kinds of destination share in what people read: a notice in words, in a language, cut to fit.

briefing      a notice in words, in no vendor's form       languages     what each place makes of a text
headlines     the first line                               changes       what an update says
endings       what a resolution says                       members       what a group's notice says of its members
evidence      lists of evidence by name                    posture       what an individual recommendation adds
times         times and lengths in words                   placeholders  what `fields` of a ticket may hold
plain_text    a briefing as text with headings             details       a notice as details by name
documents     a delivery as one JSON object of our own     fitting       cutting to what a vendor takes
previews      what a kind sends, for a terminal            first_screen  what people see of a notice on a phone
screen_lines  lines of a phone, and what fits on them
"""
