"""Command-line tools: training, testing, conversion, demos, and the lab."""

import mmhot  # noqa: F401 stands in for xtcocotools, which MMPose imports
