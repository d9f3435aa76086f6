"""`python -m bestiary`: the command line."""

import sys

from bestiary.cli import main

if __name__ == "__main__":  # worker processes import this file too
    sys.exit(main())
