"""`python -m exporter`, and the console script."""

import sys

from exporter.cli import main as run


def main() -> None:
    """Run the command line and end the process with its status."""
    sys.exit(run())


if __name__ == "__main__":
    main()
