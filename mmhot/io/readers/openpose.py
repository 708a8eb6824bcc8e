"""People of OpenPose's JSON, in the form of MMPose's."""

from typing import TypeGuard

import numpy as np

from mmhot.io.arrays import as_numbers

_SKELETONS = {25: 'openpose-25', 18: 'openpose-18'}


def is_openpose(document: object) -> TypeGuard[dict]:
    """Whether decoded JSON is a file of OpenPose: the people of one image."""
    return isinstance(document, dict) and isinstance(document.get('people'), list)


def openpose_people(document: dict) -> tuple[dict, list[dict]]:
    """Return the skeleton and the people with a body; track IDs are optional."""
    header, people = {}, []
    for person in document['people']:
        values = person.get('pose_keypoints_2d') or []  # hands only
        if len(values) not in (0, *(3 * count for count in _SKELETONS)):
            raise ValueError(
                f"'pose_keypoints_2d' has {len(values)} numbers: x, y, score of the 25 "
                'keypoints of BODY_25 or the 18 of COCO are expected'
            )
        triples = as_numbers(values, "'pose_keypoints_2d'").reshape(-1, 3)
        found = dict(keypoints=triples[:, :2], keypoint_scores=triples[:, 2])
        (track,) = np.ravel(person.get('person_id', -1))
        if track != -1:  # with --tracking
            found['track_id'] = track
        if values:
            header['skeleton'] = _SKELETONS[len(triples)]
            people.append(found)
    return header, people
