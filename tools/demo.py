r"""Write the page of ``make demo``: its results, your own video, and the errors.

Prints the errors of the rendered clips, whose poses are known. Example::

    python -m tools.demo outputs/demo
"""

import argparse
import html
import sys
from pathlib import Path
from string import Template

import numpy as np

from mmhot.cli.errors import OneLineParser, print_line, run_safely
from mmhot.cli.report import align
from mmhot.io.atomic import replacing
from mmhot.io.lifted import read_lifted
from tools.analysis.measure_lifted import measure, without_extremities
from tools.analysis.motions import GroundTruth

DEMO = Path(__file__).parents[1] / 'demo'
RENDERED = ('walk', 'dance')
"""Clips in ``demo/`` that are rendered, with ground truth."""
_SKATER = 'skating_2d_coco17'
_HEADS = ('clip', 'frames', '2D error, px', 'MPJPE, mm', 'P-MPJPE, mm')
_COMMANDS = """mmhot infer video.mp4
mmhot infer video.mp4 --out-dir out --formats html,bvh,mp4
mmhot infer 0 --live    # a webcam"""
_OPENED_BY = {
    'html': 'a browser',
    'mp4': 'a video player: the video beside the 3D poses',
    'png': 'an image viewer',
    'bvh': 'Blender, MotionBuilder',
    'glb': 'Blender, game engines, three.js',
    'trc': 'OpenSim: inverse kinematics',
    'mot': 'OpenSim: joint angles',
    'npz': 'NumPy, mmhot',
    'json': 'any language',
}
_PAGE = Template("""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>mmhot demo</title>
<style>
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto;
  padding: 0 1rem; color-scheme: light dark; }
iframe { width: 100%; height: 28rem; border: 1px solid #8886; }
table { border-collapse: collapse; margin: 1rem 0; }
th, td { text-align: left; padding: 0.2rem 1.2rem 0.2rem 0;
  border-bottom: 1px solid #8886; }
pre { overflow-x: auto; }
</style>
</head>
<body>
<h1>mmhot demo</h1>
<h2>Results</h2>
$results
<h2>Now your own video</h2>
<pre>$commands</pre>
<p>Files of each clip, and programs that open them:</p>
$files
<h2>Errors</h2>
<p>The two rendered videos have known poses. The 2D error is that of the limbs' joints;
MPJPE is the mean distance of joints from the true ones with equal hips, P-MPJPE after
rotation and scaling.</p>
$errors
</body>
</html>
""")


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = OneLineParser(description=__doc__.splitlines()[0])
    parser.add_argument('folder', type=Path, help='results of make demo')
    return parser.parse_args()


def run(args: argparse.Namespace) -> None:
    """Print the errors and write the page."""
    rows = [_HEADS, *(measure_clip(args.folder, name) for name in RENDERED)]
    print_line(align([*map(list, rows)], left=1))
    page = args.folder / 'index.html'
    with replacing(page) as temporary:
        temporary.write_text(write_page(args.folder, rows), encoding='utf-8')
    print_line(str(page))


def measure_clip(folder: Path, name: str) -> tuple[str, ...]:
    """Compare a lifted clip with its ground truth.

    Args:
        folder (Path): Folder of the result ``NAME.npz``.
        name (str): One of :data:`RENDERED`.

    Returns:
        tuple[str, ...]: Cells of a row below :data:`_HEADS`.
    """
    lifted = without_extremities(read_lifted(folder / f'{name}.npz'))
    row = measure(lifted, GroundTruth.read(DEMO / f'{name}.npz'))
    errors = (f'{row[key]:.1f}' for key in ('pixels', 'MPJPE', 'P-MPJPE'))
    return name, str(len(np.unique(lifted.frame))), *errors


def write_page(folder: Path, errors: list[tuple[str, ...]]) -> str:
    """Return the HTML of the page.

    Args:
        folder (Path): Folder of the results and the page.
        errors (list[tuple[str, ...]]): Cells of the table of errors, header first.
    """
    names = [
        name for name in (*RENDERED, _SKATER) if (folder / f'{name}.html').exists()
    ]
    results = (
        f'<h3>{_link(f"{name}.html")}</h3>\n'
        f'<iframe src="{name}.html" title="{name}" loading="lazy"></iframe>'
        for name in names
    )
    files = [('file', 'opened by')]
    for kind, programs in _OPENED_BY.items():
        links = (
            _link(f'{x}.{kind}') for x in names if (folder / f'{x}.{kind}').exists()
        )
        files.append((' '.join(links), programs))
    return _PAGE.substitute(
        results='\n'.join(results),
        commands=html.escape(_COMMANDS),
        files=_table(files),
        errors=_table(errors),
    )


def _link(file: str) -> str:
    return f'<a href="{html.escape(file)}">{html.escape(file)}</a>'


def _table(rows: list[tuple[str, ...]]) -> str:
    """Return a table of HTML cells, header first."""
    lines = []
    for number, row in enumerate(rows):
        tag = 'td' if number else 'th'
        cells = ''.join(f'<{tag}>{cell}</{tag}>' for cell in row)
        lines.append(f'<tr>{cells}</tr>')
    return '<table>\n{}\n</table>'.format('\n'.join(lines))


def main() -> int:
    """Run the tool."""
    args = parse_args()
    return run_safely('demo.py', lambda: run(args))


if __name__ == '__main__':
    sys.exit(main())
