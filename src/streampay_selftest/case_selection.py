"""Which cases a quick run plays: a fair share that another commit draws anew, and everything that is new."""

import hashlib
from collections.abc import Mapping, Sequence

from streampay_selftest.case import Case
from streampay_selftest.results import CaseResult, described
from streampay_selftest.scoring import UNDISTURBED

SHARE_OF = 6
"""A quick run plays one case of so many, of faults and of disturbances alike."""


def unknown(corpus: Mapping[str, Case], known: Mapping[str, CaseResult]) -> frozenset[str]:
    """Return the cases nobody has results of, or of something else under their name."""
    return frozenset(
        name for name, case in corpus.items() if name not in known or described(known[name]) != described(case)
    )


def share(corpus: Mapping[str, Case], commit: str, always: frozenset[str]) -> Sequence[str]:
    """Return the share of the corpus that a commit draws, in the corpus's order; `always` names what is in every one.

    The same commit draws the same on every machine. That nothing is disturbed is played each time.
    """
    chosen = {UNDISTURBED, *always}
    lots = {name: hashlib.sha256(f"{commit}/{name}".encode()).digest() for name in corpus}
    for is_fault in (True, False):
        drawn = sorted((name for name, case in corpus.items() if case.is_fault is is_fault), key=lots.__getitem__)
        chosen.update(drawn[: -(-len(drawn) // SHARE_OF)])
    return [name for name in corpus if name in chosen]
