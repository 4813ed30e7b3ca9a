"""`python -m streampay_smoke`."""

import sys

from streampay_smoke.cli import main

sys.exit(main())
