"""Tells people a verdict: in a chat, at a webhook of theirs, and by a pager where the decision asks for it."""
