"""Lets tests import their doubles (`import _stub_body`)."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
