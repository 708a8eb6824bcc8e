"""Scale an OpenSim model to the markers of mmhot, and solve its inverse kinematics.

Needs ``pip install opensim``. Writes into the folder of the ``.trc`` the model, the
scaled one, OpenSim's set-up files and the motion, which is compared with mmhot's
``.mot``::

    python -m projects.opensim results/walk.trc
"""

import argparse
from pathlib import Path

from projects.opensim.model import differences, solve


def main() -> None:
    """Write and run the set-up files of each person."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('markers', nargs='+', type=Path, help='.trc with 24 joints')
    for markers in parser.parse_args().markers:
        motion, own = solve(markers), markers.with_suffix('.mot')
        print(motion)
        for name, apart in differences(motion, own).items() if own.exists() else ():
            print(f'{name}: {apart:.1f} degrees from {own}')


if __name__ == '__main__':
    main()
