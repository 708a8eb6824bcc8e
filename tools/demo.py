"""Write the page of ``make demo``, and print the errors of its rendered clips.

Example::

    python -m tools.demo outputs/demo
"""

import argparse
import html
import sys
from pathlib import Path
from string import Template
from urllib.parse import quote

import numpy as np

from mmhot.chain.formats import FORMATS
from mmhot.cli.errors import print_line, print_text, run_tool
from mmhot.errors import align
from mmhot.io.atomic import replacing
from mmhot.io.lifted import read_lifted
from tools.analysis.measure_lifted import measure
from tools.analysis.motions import GroundTruth

DEMO = Path(__file__).parents[1] / 'demo'
RENDERED = ('walk', 'dance')
"""Clips in ``demo/`` that are rendered, with ground truth."""
_SKATER = 'skating_2d_coco17'
_HEADS = ('clip', 'frames', '2D error, px', 'MPJPE, mm', 'P-MPJPE, mm')
_PAGE = Template("""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>mmhot demo</title>
<link rel="icon" href="data:,">
<style>
body { font: 16px/1.5 system-ui, sans-serif; max-width: 76rem; margin: 1rem auto;
  padding: 0 1rem; }
:root { color-scheme: light dark; background: Canvas; }
iframe { width: 100%; height: clamp(24rem, 80vh, 46rem);
  border: 1px solid #8886; }
nav a, pre { border: 1px solid #8886; border-radius: .4rem; padding: .3rem .8rem; }
nav a { display: inline-block; margin: 0 .3rem .5rem 0; }
nav a[aria-current=true] { font-weight: bold; border: 2px solid; }
a { color: light-dark(#1f5cc7, #7aa7ff); }
pre { overflow: auto; }
table { border-collapse: collapse; }
th, td { text-align: left; padding: .2rem .6rem .2rem 0; border-top: 1px solid #8886; }
</style>
</head>
<body>
<main>
<h1>A video, in 3D</h1>
<p>mmhot finds people, lifts them to 3D and writes files for other programs. Dance and
walk are rendered videos of motion capture: the joints are $errors mm from ground truth
on average. The skater is lifted from 2D keypoints alone. Drag to orbit, press Angles
for curves; Info lists the keys.</p>
<nav aria-label="Clips">$clips</nav>
$player
<h2>Now your own video</h2>
<pre tabindex="0">
$mmhot infer video.mp4 --out-dir results
$mmhot infer video.mp4 --out-dir results --formats bvh,glb  # for Blender
$mmhot lift keypoints.json --out-dir results  # 2D keypoints that you have
</pre>
<p>Run it in the folder $folder. The first one writes results/video.html, a page as
above, and results/video.npz.</p>
<h2>Files of the clips</h2>
<table>
$results
</table>
<p>Code, models and videos have the license Apache 2.0.</p>
</main>
<script>
document.querySelectorAll('nav a').forEach((link, number, links) => {
  const mark = () => links.forEach((each) => { each.ariaCurrent = each === link; });
  link.addEventListener('click', mark);
  if (!number) mark();
});
</script>
</body>
</html>
""")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument('folder', type=Path, help='results of make demo')


def main(args: argparse.Namespace) -> None:
    """Print the errors and write the page."""
    rows = [_HEADS, *(measure_clip(args.folder, name) for name in RENDERED)]
    print_text(align([*map(list, rows)], left=1))
    page = args.folder / 'index.html'
    with replacing(page) as temporary:
        temporary.write_text(
            write_page(args.folder, ' and '.join(row[3] for row in rows[:0:-1])),
            encoding='utf-8',
        )
    print_line(f'open {page} in a browser')


def measure_clip(folder: Path, name: str) -> tuple[str, ...]:
    """Compare one of :data:`RENDERED` with its ground truth; return cells of a row."""
    lifted = read_lifted(folder / f'{name}.npz').first_joints(17)
    row = measure(lifted, GroundTruth.read(DEMO / f'{name}.npz'))
    errors = (f'{row[key]:.1f}' for key in ('pixels', 'MPJPE', 'P-MPJPE'))
    return name, str(len(np.unique(lifted.frame))), *errors


def write_page(folder: Path, errors: str) -> str:
    """Return the HTML of the page, for the folder of the results and their errors."""
    names = (*RENDERED[::-1], _SKATER)
    shown = [name for name in names if (folder / f'{name}.html').exists()]
    player = ''.join(
        f'<iframe name="player" src="{x}.html" title="Viewer"></iframe>'
        for x in shown[:1]
    )
    clips = ''.join(
        f'<a href="{x}.html" target="player">{x.partition("_")[0]}</a>' for x in shown
    )
    command = Path(sys.executable).with_name('mmhot')
    if command.is_relative_to(Path.cwd()):
        command = command.relative_to(Path.cwd())
    rows = []
    for kind, writer in FORMATS.items():
        files = [folder / f'{name}.{kind}' for name in names]
        cells = [
            f'<td><a href="{quote(file.name)}">{name.partition("_")[0]}</a></td>'
            for name, file in zip(names, files, strict=True)
            if file.exists()
        ]
        if cells:
            purpose = f'<th scope="row">.{kind}</th><td>{html.escape(writer.purpose)}'
            rows.append(f'<tr>{purpose}</td>{"".join(cells)}</tr>')
    return _PAGE.substitute(
        clips=clips,
        player=player,
        mmhot=html.escape(str(command)),
        folder=f'<code>{html.escape(Path.cwd().name)}</code>',
        results='\n'.join(rows),
        errors=errors,
    )


if __name__ == '__main__':
    run_tool(add_arguments, main)
