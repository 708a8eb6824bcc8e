"""2D keypoints with tracks in COCO's format, as annotation tools read it."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from mmhot.io.arrays import exact_list, to_json
from mmhot.io.atomic import replacing_text
from mmhot.io.writers.export import Export
from mmhot.structures.clips_3d import Clip3D

_PERSON = 1  # ID of the category
_SAME = 0.01  # frames; if times are farther from whole frames, the rate is variable


def write_coco(clip: Clip3D, path: str | Path, export: Export = Export()) -> None:
    """Write the 2D keypoints of a clip.

    :func:`mmhot.read_keypoints` reads them back. All keypoints of the 2D model are
    written, also keypoints that are not lifted. Joints that were filled in are not
    labeled. ``info`` has the frame rate and the steps that have run, and annotation
    tools may drop it. Images have the names of their files, and frame numbers have gaps
    where times have gaps.

    Args:
        clip (Clip3D): The clip, in any axes.
        path (str | Path): The file.
        export (Export): Names of the images.
    """
    if clip.detected_2d is not None and clip.detected_scores is not None:
        clip = replace(
            clip,
            keypoints_2d=clip.detected_2d,
            scores=clip.detected_scores,
            joint_names=clip.detected_joints,
            parents=(-1,) * len(clip.detected_joints),
        )
    limbs = [
        [parent + 1, child + 1]
        for child, parent in enumerate(clip.parents)
        if parent >= 0
    ]
    people = dict(id=_PERSON, name='person', supercategory='person')
    size = dict(width=int(clip.width), height=int(clip.height))
    frames = np.unique(clip.frame)
    steps = clip.seconds(frames) * clip.fps
    numbers = np.rint(steps).astype(int)
    if np.abs(steps - numbers).max(initial=0) > _SAME:  # the rate varies
        numbers = frames
    files = export.footage.names if export.footage else ()
    images = [
        # Otherwise, names as CVAT gives to the frames of a video.
        {'id': x + 1, 'frame_id': number, 'file_name': file, **size}
        for x, number in zip(frames.tolist(), numbers.tolist(), strict=True)
        for file in (files[x : x + 1] or [f'frame_{x:06}.PNG'])
    ]
    document = {
        'info': dict(description=clip.name, fps=clip.fps, steps=clip.steps),
        'licenses': [],
        'categories': [
            {**people, 'keypoints': list(clip.joint_names), 'skeleton': limbs}
        ],
        'images': images,
        'annotations': _annotations(clip),
    }
    with replacing_text(path) as file:
        file.write(to_json(document) + '\n')


def _annotations(clip: Clip3D) -> list[dict]:
    is_labeled = (clip.scores > 0) & np.isfinite(clip.keypoints_2d).all(-1)
    pixels = np.where(is_labeled[..., None], clip.keypoints_2d, 0)
    values = np.dstack([pixels, np.where(is_labeled, 2, 0)])
    triples = exact_list(values.reshape(len(clip), 3 * values.shape[1]))
    scores = exact_list(clip.scores)
    people: list[dict] = []
    for row, labeled in enumerate(is_labeled):
        if not labeled.any():
            continue
        points = pixels[row, labeled].astype(np.float64)
        corner = points.min(0)
        extent = np.ptp(points, 0)
        track = int(clip.track[row])
        people.append(
            {
                'id': len(people) + 1,
                'image_id': int(clip.frame[row]) + 1,
                'category_id': _PERSON,
                'keypoints': triples[row],
                'num_keypoints': int(labeled.sum()),
                'keypoint_scores': scores[row],
                'bbox': [*corner.tolist(), *extent.tolist()],
                'area': float(extent.prod()),
                'segmentation': [],
                'iscrowd': 0,
                'track_id': track,
                'attributes': {'occluded': False, 'track_id': track},
            }
        )
    return people
