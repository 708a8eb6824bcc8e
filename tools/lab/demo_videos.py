"""Sections of the page of ``make demo`` on videos that are made of its clips."""

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from mmhot.motion.foot_lock import lock_feet
from mmhot.profiling import Profile
from mmhot.video.inputs import open_inputs
from mmhot.visualization.video_encoding import open_video
from tools.lab.demo_inputs import DEMO, infer
from tools.lab.demo_layout import Section
from tools.lab.measure_camera_path import RUNS, turn_video
from tools.lab.measure_lifted import cells_of, measure

# Seconds without the person who returns, and columns that show each person.
_AWAY = 3.0
_LEFT, _RIGHT = slice(420, 1060), slice(310, 950)


def show_turning(folder: Path) -> Section:
    """Lift a video of a camera that pans, tilts, rolls and zooms."""
    video = folder / 'turning.mp4'
    truth, rotations, _ = turn_video(DEMO / 'walk.mp4', video)
    turn = np.degrees(rotations.magnitude()).max()
    table = [('--camera', 'lens', 'turn', 'foot slide', 'root path', 'MPJPE')]
    for camera, lens in RUNS:
        intrinsics = truth.lens if lens == 'known' else None
        clip = infer(video, folder, intrinsics=intrinsics, camera=camera)
        if camera == 'rotating':
            clip.save(folder / 'turning.html')
            clip = lock_feet(clip)
        row = measure(clip, truth)
        errors = cells_of(row, {'foot slide': 'cm/s', 'root path': 'cm', 'MPJPE': 'mm'})
        table.append((camera, lens, f'{turn:.0f} degrees', *errors))
    return Section(
        'Cameras that turn',
        "The background's motion gives rotation and zoom of each frame, and the focal "
        'length if the lens is not known; people are placed in the axes of the first.',
        table,
        [video, folder / 'turning.html'],
    )


def show_people(folder: Path) -> tuple[Section, Section]:
    """Lift a video of two people; the left one leaves and returns. Show the time."""
    video = folder / 'returning.mp4'
    write_people(DEMO / 'walk.mp4', DEMO / 'dance.mp4', video)
    table = [('re-identified', 'track IDs of the left person', 'of the right')]
    with TemporaryDirectory() as cache:
        with Profile() as profile:
            found = {'no': infer(video, Path(cache), reidentify=False)}
        found['yes'] = infer(video, Path(cache))
    for kind, clip in found.items():
        is_left = clip.keypoints_2d[:, 0, 0] < clip.width / 2
        ids = (np.unique(clip.track[rows]) for rows in (is_left, ~is_left))
        table.append((kind, *(', '.join(map(str, each)) for each in ids)))
    files = [folder / f'returning.{kind}' for kind in ('html', 'png')]
    for path in files:
        clip.save(path, video)
    people = Section(
        'Several people, and those who return',
        f'Two clips side by side. The left person is away for {_AWAY:g} s; colors of '
        'clothes and proportions of the body identify the person.',
        table,
        [video, files[0]],
        [files[1]],
    )
    return people, show_time(profile)


def show_time(profile: Profile) -> Section:
    """Show the stages of a run, and the share of lifting."""
    stages, total = profile.stages(), profile.seconds
    lifting = stages['3D'].seconds
    table = [('stage', 'seconds')]
    for name, stage in stages.items():
        # own time of the stage '2D' is waiting for the threads of the others
        if name != '2D' and stage.own_seconds > total / 100:
            table.append((name, f'{stage.own_seconds:.2f}'))
    return Section(
        'Time',
        f'The video of two people took {total:.1f} s, lifting with its feet and floor '
        f'{lifting:.2f} s of them ({lifting / total:.1%}). Its longest stages follow; '
        'those of several threads overlap.',
        table,
    )


def write_people(left: Path, right: Path, target: Path) -> None:
    """Write parts of two videos of still cameras side by side, as long as the second.

    The middle of the first video is followed by seconds of its empty scene, the median
    over time.
    """
    [first], [second] = (open_inputs([str(path)]) for path in (left, right))
    images = [frame.image[:, _LEFT] for frame in first]
    scene = np.median(images[::5], 0).astype(np.uint8)
    half = len(images) // 2
    away = [scene] * round(_AWAY * first.fps)
    images = [*images[:half], *away, *images[half:]]
    with open_video(target, second.fps) as video:
        for image, frame in zip(images, second, strict=False):
            video.write(np.hstack([image, frame.image[:, _RIGHT]]))
