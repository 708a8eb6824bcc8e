"""Sections of the page of ``make demo`` on its clips and their 2D keypoints."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

import mmhot
from mmhot.io.arrays import load_arrays
from mmhot.io.writers.table import BVH_PROFILE_NAMES
from mmhot.motion.foot_lock import lock_feet
from mmhot.motion.side_swaps import find_swaps
from mmhot.skeletons.joint_angles import ANGLES, joint_angles
from mmhot.structures.clips import Clip3D
from tools.lab import measure_live_feet
from tools.lab.demo_inputs import DEMO, RENDERED, SKATING, infer, read_truth
from tools.lab.demo_layout import Section
from tools.lab.measure_angles import compare
from tools.lab.measure_extremities import measure_projected
from tools.lab.measure_lifted import cells_of, group_errors, measure
from tools.lab.measure_seams import tabulate_phases
from tools.lab.measure_swaps import measure_repair

_OPENED_BY = {
    'glb': 'Blender, three.js, game engines, 3D Viewer of Windows',
    'bvh': 'Blender, MotionBuilder, retargeting tools',
    'c3d': 'Mokka, OpenSim, gait analysis',
    'trc': 'OpenSim: inverse kinematics',
    'mot': 'OpenSim: joint angles',
    'npz': 'NumPy; mmhot',
    'json': 'any language',
}
_WHOLE_BODY = 'gtpt-t-wholebody'
_ANGLES = 'hip_flexion', 'knee_angle', 'elbow_flex'
# Copies of each clip with random swaps; groups of joints and frames.
_DRAWS, _GROUPS = 5, 5


def show_results(
    folder: Path, clips: dict[str, Clip3D], bodies: dict[str, Clip3D]
) -> Section:
    """Show all clips, and errors of those with ground truth."""
    table = [('clip', 'MPJPE', 'P-MPJPE', 'expected error')]
    units = dict.fromkeys(('MPJPE', 'P-MPJPE', 'expected'), 'mm')
    for name, clip in bodies.items():
        row = measure(clip, read_truth(name))
        table.append((name, *cells_of(row, units)))
    return Section(
        'Results',
        'The pages play 2D and 3D poses; bones to joints with an expected error above '
        '10 cm are thin.',
        table,
        [folder / f'{name}.{kind}' for name in clips for kind in ('html', 'mp4')],
        [folder / f'{name}.png' for name in clips],
    )


def show_feet(folder: Path) -> Section:
    """Compare feet that are locked with those that are not."""
    heads = 'foot slide', 'ground truth', 'root path', 'floating', 'precision', 'recall'
    table = [('clip', 'feet', *heads)]
    units = dict.fromkeys(('foot slide', 'true slide'), 'cm/s')
    units |= dict.fromkeys(('root path', 'floating'), 'cm')
    units |= dict.fromkeys(('precision', 'recall'), '%')
    for name in RENDERED:
        truth = read_truth(name)
        lifted = infer(DEMO / f'{name}.mp4', folder, intrinsics=truth.lens)
        lifted.save(folder / f'{name}_unlocked.html', foot_lock=False)
        for kind, clip in {'as lifted': lifted, 'locked': lock_feet(lifted)}.items():
            row = measure(clip, truth)
            table.append((name, kind, *cells_of(row, units)))
    return Section(
        'Standing feet',
        'A network predicts which ankles stand, with the precision and recall of the '
        'last columns; least squares over the whole clip keep them in place, bones at '
        'constant lengths and knees bent forward. The numbers are with the true lens.',
        table,
        [folder / f'{x}{y}.html' for x in RENDERED for y in ('_unlocked', '')],
    )


def show_streams() -> Section:
    """Compare streams with whole clips."""
    return Section(
        'Streams and whole clips',
        "The ground truth's 2D keypoints with the noise of a detector, and the true "
        'lens: frame by frame as by --live, with a look-ahead of 160 ms, and as a '
        'whole. The foot lock of streams adds no latency.',
        measure_live_feet.tabulate(
            {x: [measure_live_feet.read_rendered(DEMO / f'{x}.npz')] for x in RENDERED}
        ),
    )


def show_extremities(folder: Path) -> Section:
    """Compare added joints that are seen in 2D with those that are not."""
    video, truth = DEMO / 'walk.mp4', read_truth('walk')
    labels = load_arrays(DEMO / 'walk.npz', ['wholebody_2d'])['wholebody_2d']
    options = dict(joints=24, intrinsics=truth.lens)
    table = [('joints', '2D model', 'seen in 2D', 'error')]
    for model in ('gtpt-t', _WHOLE_BODY):
        clip = infer(video, folder, pose2d=model, **options)
        for part, (seen, error) in measure_projected(clip, labels).items():
            table.append((part, model, f'{seen:.0f} %', f'{error:.1f} cm'))
    files = [folder / f'walk_wholebody.{kind}' for kind in ('html', 'glb', 'png')]
    for path in files:
        clip.save(path, video)
    added = clip.joint_names[17:]
    return Section(
        'Toes, heels, hands and nose',
        f'--joints 24 adds {", ".join(added)}. {_WHOLE_BODY} detects them among its '
        '133 keypoints; joints that are not seen get their usual pose. They turn feet, '
        'hands and head of the mannequins. Errors are those across the line of sight, '
        'relative to ankle, wrist or head.',
        table,
        files[:2],
        files[2:],
    )


def show_swaps(folder: Path, bodies: dict[str, Clip3D]) -> Section:
    """Exchange sides in some frames, and let the repair find them."""
    keypoints = mmhot.read_keypoints(DEMO / f'{SKATING}.npz')
    (track,) = keypoints.tracks
    seconds = keypoints.times_of(track.frames)
    found = find_swaps(track, keypoints.skeleton, seconds).any(1)
    unrepaired = folder / f'{SKATING}_unrepaired.html'
    mmhot.lift(keypoints, swap_repair=False).save(unrepaired)
    heads = 'swapped', 'undone', 'others spoiled'
    table = [('clip', *heads, 'MPJPE, swapped', 'repaired', 'without swaps')]
    units = dict.fromkeys(('swapped', 'undone', 'spoiled'), '%')
    units |= dict.fromkeys(('as swapped', 'repaired', 'right'), 'mm')
    for name, clip in bodies.items():
        row = measure_repair(clip, read_truth(name), _DRAWS)
        table.append((name, *cells_of(row, units)))
    return Section(
        'Left and right',
        'Left and right of arms, legs, forearms, shins and bodies are exchanged for '
        f'up to half a second, at random in {_DRAWS} copies of the detections. Shares '
        'are of pairs of joints. In the real detections of the skater, sides are '
        f'exchanged back in {found.sum()} of {len(found)} frames.',
        table,
        [unrepaired, folder / f'{SKATING}.html'],
    )


def show_windows() -> Section:
    """Show how far joints move if a clip begins later."""
    clip = mmhot.read_keypoints(DEMO / f'{SKATING}.npz')
    return Section(
        'Windows',
        'Distances of joints if the clip begins 5 to 45 % of a window later. Clips '
        'are lifted in overlapping windows that fade into each other, mirrored and '
        'not; best keeps bones near their lengths, too.',
        tabulate_phases([clip]),
    )


def show_angles(folder: Path, bodies: dict[str, Clip3D]) -> Section:
    """Compare joint angles with those of the ground truth."""
    heads = 'found', 'ground truth', 'error', 'without mean', 'correlation'
    table = [('clip', 'angle', *heads)]
    for name, clip in bodies.items():
        table += ((name, *row) for row in _angle_rows(clip, read_truth(name).poses))
    return Section(
        'Joint angles',
        'Degrees: smallest and largest, mean error, and the same without the mean '
        'difference. The files have all angles, named as in OpenSim.',
        table,
        [folder / f'{name}.mot' for name in bodies],
    )


def _angle_rows(clip: Clip3D, truth: np.ndarray) -> Iterator[tuple[str, ...]]:
    poses = clip.keypoints_3d, truth[clip.frame]
    found, wanted = (joint_angles(each * (1, -1, -1)) for each in poses)
    for angle, row in enumerate(compare(*poses)):
        if ANGLES[angle].startswith(_ANGLES):
            ranges = (
                f'{each[:, angle].min():.0f} to {each[:, angle].max():.0f}'
                for each in (found, wanted)
            )
            numbers = (f'{row[0]:.1f}', f'{row[1]:.1f}', f'{row[2]:.2f}')
            yield (ANGLES[angle], *ranges, *numbers)


def show_expected(bodies: dict[str, Clip3D]) -> Section:
    """Compare expected errors with errors."""
    table = [('clip', 'joints and frames', 'expected', 'error', 'without mean')]
    for name, clip in bodies.items():
        for group, row in enumerate(group_errors(clip, read_truth(name), _GROUPS)):
            share = f'{100 * group // _GROUPS} to {100 * (group + 1) // _GROUPS} %'
            table.append((name, share, *(f'{value:.0f} mm' for value in row)))
    return Section(
        'Expected errors',
        'Joints and frames in the order of their expected errors, with their errors, '
        "and those without each joint's mean difference, which joint definitions and "
        'proportions of the body cause.',
        table,
    )


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
    manual = (DEMO.parent / 'docs' / 'output-formats.md').read_text(encoding='utf-8')
    _, fbx = manual.split('### FBX')
    return Section(
        'Files for other programs',
        'Blender converts .glb to .fbx with the command below the table.',
        table,
        files,
        command=fbx.split('```bash')[1].split('```')[0].strip(),
    )
