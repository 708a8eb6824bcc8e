"""easy_ViTPose: JSON of ``inference.py --save-json``.

Frames are dicts of people by track ID; points are y, x, score:

>>> document = {'keypoints': [{'4': [[110, 612, 0.9]]}], 'skeleton': {'0': 'nose'}}
>>> to_mmpose(document)['frames']
[{'4': {'keypoints': [[612, 110, 0.9]]}}]
"""

from collections.abc import Mapping

from mmhot.io.arrays import depth_of


def to_mmpose(document: Mapping[str, object]) -> dict[str, object] | None:
    """Convert a document to MMPose's keys; None if it is of another program."""
    frames = document.get('keypoints')
    if not (isinstance(frames, list) and all(isinstance(x, Mapping) for x in frames)):
        return None
    people = [person for frame in frames for person in frame.values()]
    if not people or any(depth_of(person) != 2 for person in people):
        return None
    return {
        'frames': [
            {
                track: {'keypoints': [[x, y, score] for y, x, score in person]}
                for track, person in frame.items()
            }
            for frame in frames
        ],
        'keypoint_id2name': document.get('skeleton'),
    }
