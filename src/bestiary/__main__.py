"""`python -m bestiary`: the command line."""

import sys

from bestiary.cli import main

sys.exit(main())
