"""Start a script of MMPose or MMDetection with the shims of mmhot in place.

Example::

    python -m mmhot.compat tools/train.py CONFIG
"""

import runpy
import sys
from pathlib import Path

if __name__ == '__main__':  # importing mmhot has installed the shims
    del sys.argv[0]
    if not sys.argv or not Path(sys.argv[0]).is_file():
        sys.exit('usage: python -m mmhot.compat SCRIPT.py [ARGUMENT ...]')
    sys.path[0] = str(Path(sys.argv[0]).resolve().parent)
    runpy.run_path(sys.argv[0], run_name='__main__')
