"""What kinds of destination share in what people read: a notice in words, in a language, cut to fit.

notice_text   a notice in words, in no vendor's form        headlines     the first line, and what the title speaks of
facts         times, evidence, posture, coverage in words   changes       what an update or a resolution says
plain_text    that as text with headings                    chat_text     what a phone shows of a notice
withholding   what a destination never gets                 masking       what looks like a credential
escaping      the texts of a notice in a vendor's language  fitting       cutting to what a vendor takes
ocsf          a notice as an OCSF finding                   whereabouts   where it happened, by names
"""
