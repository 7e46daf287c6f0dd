"""``python -m nkgraph``."""

import sys

from nkgraph.cli import main

sys.exit(main())
