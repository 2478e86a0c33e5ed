"""What kinds of destination share in what people read: an account of a notice, in a language, cut to fit.

account       a notice in words                             languages     what each place makes of a text
fitting       cutting to what a vendor takes                placeholders  what `fields` of a ticket may hold
documents     a delivery as one JSON object of our own     posture       what an individual recommendation adds
"""
