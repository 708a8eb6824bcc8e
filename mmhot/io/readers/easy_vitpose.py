"""JSON of easy_ViTPose: frames of people by track ID, with points y, x, score."""

from collections.abc import Mapping
from typing import Any

from mmhot.io.arrays import depth_of


def read_document(document: Any) -> dict[str, Any] | None:
    """Convert a document to MMPose's keys; the result is None for other programs'."""
    frames = document.get('keypoints') if isinstance(document, Mapping) else None
    if not isinstance(frames, list) or not all(
        isinstance(x, Mapping) and {*map(depth_of, x.values())} <= {2} for x in frames
    ):
        return None
    if not any(frames):
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
