"""The acceptance suite: what is done, what must hold of it, what a run makes, and the contexts. Pinned whole."""
