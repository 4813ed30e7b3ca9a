"""What holds for every test: no setting of the person running it leaks in, and no timing luck decides."""

import os

from hypothesis import settings

for name in [name for name in os.environ if name.startswith(("SMOKE_", "BEHAVE_"))]:
    del os.environ[name]

# Shared machines are slow at times: an example may take as long as it needs. CI draws the same examples each time.
settings.register_profile("streampay", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("streampay")
