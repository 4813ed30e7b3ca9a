"""Control probes, at the start of a run and beside a failure: is it the ledger, this runner, or the release?

Each probe asks something the failed check did not depend on. What they find is evidence; the rules that use it
are in `streampay_smoke.gate.attribution`.
"""
