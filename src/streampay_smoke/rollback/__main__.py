"""`python -m streampay_smoke.rollback`: the actuator on its own, whatever has become of the rest."""

import sys

from streampay_smoke.rollback.command import main

sys.exit(main())
