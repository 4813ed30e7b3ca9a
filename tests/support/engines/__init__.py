"""How deployment engines read what the gate says: small models of their documented, or read, behaviour.

Each model takes a file of `deploy/` as it is, runs the very commands and conditions in it, and returns what users get.
"""
