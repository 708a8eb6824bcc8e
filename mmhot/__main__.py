"""Makes ``python -m mmhot`` the same as the ``mmhot`` command."""

import sys

from mmhot.cli import main

sys.exit(main())
