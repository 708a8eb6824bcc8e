"""Write the page of ``make demo``: its results, and what else mmhot does with them.

Prints the tables of :mod:`tools.lab.measure_lifted`, lifts two more videos made of
``demo/walk.mp4`` and ``dance.mp4`` (by a turning camera, and with a person who leaves
and returns) and writes more formats, then ``index.html``. Example::

    python -m tools.lab.demo_page outputs/demo
"""

import argparse
import sys
from pathlib import Path

from mmhot.cli.errors import OneLineParser, print_line, run_safely
from mmhot.io.atomic import replacing
from mmhot.io.lifted import read_lifted
from tools.lab import demo_poses, demo_videos
from tools.lab.demo_inputs import DEMO, RENDERED, SKATING
from tools.lab.demo_layout import Section, write_page
from tools.lab.measure_lifted import print_tables, without_extremities


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = OneLineParser(description=__doc__.splitlines()[0])
    parser.add_argument('folder', type=Path, help='results of make demo')
    return parser.parse_args()


def run(args: argparse.Namespace) -> None:
    """Lift, write the files and the page."""
    page = args.folder / 'index.html'
    sections = make_sections(args.folder)
    with replacing(page) as temporary:
        temporary.write_text(write_page(sections), encoding='utf-8')
    print_line(str(page))


def make_sections(folder: Path) -> list[Section]:
    """Measure and lift; return all sections."""
    clips = {x: read_lifted(folder / f'{x}.npz') for x in (*RENDERED, SKATING)}
    bodies = {x: without_extremities(clips[x]) for x in RENDERED}
    print_tables([clips[x] for x in RENDERED], DEMO)
    people, time = demo_videos.show_people(folder)
    return [
        demo_poses.show_results(folder, clips, bodies),
        demo_poses.show_feet(folder),
        demo_poses.show_streams(),
        demo_poses.show_extremities(folder),
        demo_videos.show_turning(folder),
        demo_poses.show_swaps(folder, bodies),
        people,
        demo_poses.show_windows(),
        time,
        demo_poses.show_angles(folder, bodies),
        demo_poses.show_expected(bodies),
        demo_poses.show_formats(folder, clips['walk']),
    ]


def main() -> int:
    """Run the tool."""
    args = parse_args()
    return run_safely('demo_page.py', lambda: run(args))


if __name__ == '__main__':
    sys.exit(main())
