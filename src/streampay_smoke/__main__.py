"""`python -m streampay_smoke`, and what the command `streampay-smoke` starts."""

import sys
import traceback

_CONFIG = 2


def main() -> int:
    """Run the command line. An installation that cannot even be imported is CONFIG: 1 would blame the release."""
    try:
        from streampay_smoke.cli import main as run
    except Exception as error:  # noqa: BLE001 - a broken package raises anything
        traceback.print_exc()
        print(
            f"CONFIG: this installation is broken: {type(error).__name__}: {error}\n"
            "Next: remove the virtual environment and start scripts/smoke.sh again",
            file=sys.stderr,
        )
        return _CONFIG
    return run()


if __name__ == "__main__":
    sys.exit(main())
