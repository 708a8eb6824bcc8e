"""MMPose 1: JSON of its demos, predictions in memory; keys of many other programs.

``demo/topdown_demo_with_mmdet.py --save-predictions`` writes the frames of a video
below ``instance_info``, and the joints in ``meta_info``. The predictions of
``MMPoseInferencer`` are one such list of people for each image:

    >>> from mmhot.io.readers.people import people_of
    >>> document = {
    ...     'meta_info': {'keypoint_id2name': {'0': 'nose', '1': 'left_eye'}},
    ...     'instance_info': [{'frame_id': 1, 'instances': [
    ...         {'keypoints': [[612, 110], [618, 104]], 'keypoint_scores': [0.9, 0.8],
    ...          'bbox': [[571, 52, 688, 401]]}]}],
    ... }
    >>> people_of(document['instance_info'][0])[0]['points_2d']
    [[612, 110], [618, 104]]
"""

from mmhot.io.readers.keys import Key

KEYS = {
    'keypoints': Key('points_2d'),
    'keypoints_2d': Key('points_2d'),
    'keypoint_scores': Key('scores'),
    'scores': Key('scores'),
    'bbox': Key('bboxes'),
    'bbox_xyxy': Key('bboxes'),
    'keypoints_3d': Key('points_3d'),
    'joints_3d': Key('points_3d'),
    'joints': Key('points_3d'),
    'jtr': Key('points_3d'),
    'root_3d': Key('root_3d'),
}
TRACKS = ('track_id', 'instance_id')
"""Keys of track IDs."""
