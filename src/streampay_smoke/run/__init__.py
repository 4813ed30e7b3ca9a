"""The life of one run: its supervisor, its folder, its probes, and how it ends."""
