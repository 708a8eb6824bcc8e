"""OpenPose 1.7: a JSON file per image; ComfyUI's and ControlNet's lists of such images.

``--write_json`` writes x, y and score of 25 joints (BODY_25) or 18 (COCO), zeros where
it found none. ComfyUI adds the size of the image:

    >>> from mmhot.io.readers.people import people_of
    >>> image = {'people': [{'person_id': [-1], 'pose_keypoints_2d': [612, 110, 0.9]}],
    ...          'canvas_width': 640, 'canvas_height': 480}
    >>> people_of(image)
    [{'person_id': [-1], 'points_2d': [612, 110, 0.9]}]
"""

from mmhot.io.readers.keys import Key

KEYS = {'pose_keypoints_2d': Key('points_2d')}
SIZE = {'canvas_width': 'width', 'canvas_height': 'height'}
"""ComfyUI's keys of the image size."""
SKELETONS = {25: 'openpose-25', 18: 'openpose-18'}
"""Joint orders by the number of points, as files do not name the joints."""
