"""MMPose's keys of people, which mmhot and many other programs share."""

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
