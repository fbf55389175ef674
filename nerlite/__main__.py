"""`python -m nerlite` is the command line."""

import sys

from nerlite.cli import main

if __name__ == "__main__":
    sys.exit(main())
