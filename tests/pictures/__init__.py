"""Pictures of what people read, drawn by a real browser: `browser` draws pages, `cards` Adaptive Cards.

Both need Chromium on the machine; nothing here is needed at run time.
"""
