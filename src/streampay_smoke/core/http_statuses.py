"""HTTP statuses that several rooms tell apart (RFC 9110)."""

OK = 200
REDIRECTION = 300
CLIENT_ERROR = 400
SERVER_ERROR = 500
"""The first of each class that is looked at."""

GONE = frozenset({404, 410})
"""What was asked for is not there."""
