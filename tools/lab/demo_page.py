"""Write the page of ``make demo``: its results, and what else mmhot does with them.

Lifts two more videos made of ``demo/walk.mp4`` (by a turning camera, and with a person
who leaves and returns) and writes more formats, then ``index.html``. Example::

    python -m tools.lab.demo_page outputs/demo
"""

import argparse
import html
import sys
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from string import Template

import numpy as np

import mmhot
from mmhot.cli.errors import OneLineParser, print_line, run_safely
from mmhot.clips import Clip3D
from mmhot.evaluation.motion_quality import jitter
from mmhot.io.atomic import replacing
from mmhot.io.lifted import read_lifted
from mmhot.io.writers.table import BVH_PROFILE_NAMES
from mmhot.lifting.foot_lock import lock_feet
from mmhot.lifting.side_swaps import find_swaps
from mmhot.video.inputs import open_inputs
from mmhot.visualization.video_encoding import open_video
from tools.lab.measure_camera_path import RUNS, turn_video
from tools.lab.measure_lifted import measure, without_extremities
from tools.lab.motions import GroundTruth

_DEMO = Path(__file__).parents[2] / 'demo'
_RENDERED = 'walk', 'dance'
_SKATING = 'skating_2d_coco17'
_OPENED_BY = {
    'glb': 'Blender, three.js, game engines, 3D Viewer of Windows',
    'bvh': 'Blender, MotionBuilder, retargeting tools',
    'c3d': 'Mokka, OpenSim, gait analysis',
    'trc': 'OpenSim: inverse kinematics',
    'mot': 'OpenSim: joint angles',
    'npz': 'NumPy; mmhot',
    'json': 'any language',
}
# Seconds without the person who returns.
_AWAY = 3.0


@dataclass
class Section:
    """A part of the page.

    Attributes:
        title (str): Heading.
        text (str): Paragraph.
        table (list[Sequence[str]]): Head and rows.
        files (list[Path]): To open, in the page's folder.
        images (list[Path]): Shown, in the page's folder.
    """

    title: str
    text: str
    table: list[Sequence[str]] = field(default_factory=list)
    files: list[Path] = field(default_factory=list)
    images: list[Path] = field(default_factory=list)


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = OneLineParser(description=__doc__.splitlines()[0])
    parser.add_argument('folder', type=Path, help='results of make demo')
    return parser.parse_args()


def run(args: argparse.Namespace) -> None:
    """Lift, write the files and the page."""
    folder = args.folder
    names = *_RENDERED, _SKATING
    clips = {name: read_lifted(folder / f'{name}.npz') for name in names}
    rendered = {name: clips[name] for name in _RENDERED}
    sections = [
        show_results(folder, clips, rendered),
        show_feet(folder),
        show_extremities(folder, clips['walk']),
        show_turning(folder),
        show_swaps(folder),
        show_return(folder),
        show_formats(folder, clips['walk']),
    ]
    page = folder / 'index.html'
    with replacing(page) as temporary:
        temporary.write_text(write_page(sections), encoding='utf-8')
    print_line(str(page))


def show_results(
    folder: Path, clips: dict[str, Clip3D], rendered: dict[str, Clip3D]
) -> Section:
    """Show all clips, and errors of those with ground truth."""
    table = [('clip', 'MPJPE', 'P-MPJPE', 'expected error')]
    for name, clip in rendered.items():
        row = measure(without_extremities(clip), _read_truth(name))
        table.append((name, *_cells(row, ('MPJPE', 'P-MPJPE', 'expected'), 'mm')))
    return Section(
        'Results',
        'The pages play 2D and 3D poses; bones to joints with an expected error above '
        '10 cm are thin.',
        table,
        [folder / f'{name}.{kind}' for name in clips for kind in ('html', 'mp4')],
        [folder / f'{name}.png' for name in clips],
    )


def infer(video: Path, folder: Path, **options: object) -> Clip3D:
    """Lift a video with the shipped models and the 2D keypoints of earlier calls."""
    shipped = dict(pose2d='gtpt-t', det_model='pose-verified')
    return mmhot.infer(video, cache=folder, **shipped, **options)


def show_feet(folder: Path) -> Section:
    """Compare feet that are locked with those that are not."""
    table = [('clip', 'feet', 'foot slide', 'ground truth', 'root path', 'floating')]
    for name in _RENDERED:
        truth = _read_truth(name)
        video = _DEMO / f'{name}.mp4'
        lifted = infer(video, folder, intrinsics=truth.lens)
        lifted.save(folder / f'{name}_unlocked.html', foot_lock=False)
        for kind, clip in {'as lifted': lifted, 'locked': lock_feet(lifted)}.items():
            row = measure(clip, truth)
            speeds = _cells(row, ('foot slide', 'true slide'), 'cm/s')
            lengths = _cells(row, ('root path', 'floating'), 'cm')
            table.append((name, kind, *speeds, *lengths))
    return Section(
        'Standing feet',
        'A network predicts which ankles stand; least squares over the whole clip keep '
        'them in place, bones at constant lengths and knees bent forward. The numbers '
        'are with the true lens.',
        table,
        [folder / f'{x}{y}.html' for x in _RENDERED for y in ('_unlocked', '')],
    )


def show_extremities(folder: Path, clip: Clip3D) -> Section:
    """Name the added joints."""
    added = clip.joint_names[without_extremities(clip).keypoints_3d.shape[1] :]
    return Section(
        'Toes, heels, hands and nose',
        f'--joints {len(clip.joint_names)} adds {", ".join(added)}. They turn feet, '
        'hands and head of the mannequins.',
        files=[folder / 'walk.html', folder / 'walk.glb'],
    )


def show_turning(folder: Path) -> Section:
    """Lift a video of a camera that pans, tilts, rolls and zooms."""
    video = folder / 'turning.mp4'
    truth, rotations, _ = turn_video(_DEMO / 'walk.mp4', video)
    turn = np.degrees(rotations.magnitude()).max()
    table = [('--camera', 'lens', 'turn', 'foot slide', 'root path', 'MPJPE')]
    for camera, lens in RUNS:
        intrinsics = truth.lens if lens == 'known' else None
        clip = infer(video, folder, intrinsics=intrinsics, camera=camera)
        if camera == 'rotating':
            clip.save(folder / 'turning.html')
            clip = lock_feet(clip)
        row = measure(clip, truth)
        errors = (
            *_cells(row, ('foot slide',), 'cm/s'),
            *_cells(row, ('root path',), 'cm'),
            *_cells(row, ('MPJPE',), 'mm'),
        )
        table.append((camera, lens, f'{turn:.0f} degrees', *errors))
    return Section(
        'Cameras that turn',
        "The background's motion gives rotation and zoom of each frame, and the focal "
        'length if the lens is not known; people are placed in the axes of the first.',
        table,
        [video, folder / 'turning.html'],
    )


def show_swaps(folder: Path) -> Section:
    """Lift keypoints whose sides are exchanged in some frames."""
    keypoints = mmhot.read_keypoints(_DEMO / f'{_SKATING}.npz')
    changed = sum(
        int(
            find_swaps(track, keypoints.skeleton, keypoints.times_of(track.frames))
            .any(1)
            .sum()
        )
        for track in keypoints.tracks
    )
    frames = sum(len(track.frames) for track in keypoints.tracks)
    table = [('left and right', 'jitter')]
    for kind, repair in {'as detected': False, 'repaired': True}.items():
        clip = mmhot.lift(keypoints, swap_repair=repair)
        shake = jitter(clip.keypoints_3d, clip.frame, clip.fps)
        table.append((kind, f'{shake:.1f} m/s\u00b2'))
        if not repair:
            clip.save(folder / f'{_SKATING}_unrepaired.html')
    return Section(
        'Left and right',
        f"Sides are exchanged back in {changed} of the skater's {frames} frames.",
        table,
        [folder / f'{_SKATING}{end}.html' for end in ('_unrepaired', '')],
    )


def show_return(folder: Path) -> Section:
    """Lift a video of a person who leaves and returns."""
    video = folder / 'returning.mp4'
    write_return(_DEMO / 'walk.mp4', video)
    table = [('re-identified', 'track IDs')]
    for kind, reidentify in {'no': False, 'yes': True}.items():
        clip = infer(video, folder, reidentify=reidentify)
        table.append((kind, ', '.join(map(str, np.unique(clip.track)))))
    clip.save(folder / 'returning.html')
    return Section(
        'People who return',
        f'The person is away for {_AWAY:g} s; colors of clothes and proportions of the '
        'body identify the person.',
        table,
        [video, folder / 'returning.html'],
    )


def write_return(path: Path, target: Path) -> None:
    """Write a video whose middle shows the empty scene, for a still camera.

    The scene is the median over time.
    """
    [source] = open_inputs([str(path)])
    images = [frame.image for frame in source]
    scene = np.median(images[::5], 0).astype(np.uint8)
    half = len(images) // 2
    away = [scene] * round(_AWAY * source.fps)
    with open_video(target, source.fps) as video:
        for image in [*images[:half], *away, *images[half:]]:
            video.write(image)


def show_formats(folder: Path, clip: Clip3D) -> Section:
    """Write further files, and list the programs that open them."""
    clip.save(folder / 'walk.c3d')
    table = [('file', 'opened by')]
    for kind, programs in _OPENED_BY.items():
        table.append((f'walk.{kind}', programs))
    files = [folder / f'walk.{kind}' for kind in _OPENED_BY]
    for profile in BVH_PROFILE_NAMES[1:]:
        files += clip.save(folder / f'walk_{profile}.bvh', bvh_profile=profile)
        table.append((files[-1].name, f'what reads the names and axes of {profile}'))
    text = 'Blender makes .fbx of .glb, by the line in docs/output-formats.md.'
    return Section('Files for other programs', text, table, files)


def _read_truth(name: str) -> GroundTruth:
    return GroundTruth.read(_DEMO / f'{name}.npz')


def _cells(row: dict[str, float], names: Sequence[str], unit: str) -> list[str]:
    return [f'{row[name]:.1f} {unit}' for name in names]


_PAGE = Template("""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>mmhot demo</title>
<style>
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto;
  padding: 0 1rem; color-scheme: light dark; }
table { border-collapse: collapse; margin: 1rem 0; }
th, td { text-align: left; padding: 0.2rem 1.2rem 0.2rem 0;
  border-bottom: 1px solid #8886; }
img { max-width: 100%; display: block; margin: 0.5rem 0; }
a { margin-right: 1rem; }
</style>
</head>
<body>
<h1>mmhot demo</h1>
$sections
</body>
</html>
""")


def write_page(sections: Sequence[Section]) -> str:
    """Return the page's HTML."""
    parts = []
    for section in sections:
        parts.append(f'<h2>{html.escape(section.title)}</h2>')
        parts.append(f'<p>{html.escape(section.text)}</p>')
        names = [html.escape(path.name) for path in section.images]
        parts += [f'<img src="{name}" alt="{name}" loading="lazy">' for name in names]
        files = {path.name for path in section.files}
        if section.table:
            head, *rows = section.table
            lines = [_line(head, 'th'), *(_line(row, 'td', files) for row in rows)]
            parts.append('<table>\n{}\n</table>'.format('\n'.join(lines)))
            files -= {row[0] for row in rows}
        links = [_link(path.name) for path in section.files if path.name in files]
        if links:
            parts.append('<p>{}</p>'.format('\n'.join(links)))
    return _PAGE.substitute(sections='\n'.join(parts))


def _line(cells: Sequence[str], tag: str, files: Collection[str] = ()) -> str:
    cells = [_link(cell) if cell in files else html.escape(cell) for cell in cells]
    return '<tr>{}</tr>'.format(''.join(f'<{tag}>{cell}</{tag}>' for cell in cells))


def _link(name: str) -> str:
    return f'<a href="{html.escape(name)}">{html.escape(name)}</a>'


def main() -> int:
    """Run the tool."""
    args = parse_args()
    return run_safely('demo_page.py', lambda: run(args))


if __name__ == '__main__':
    sys.exit(main())
