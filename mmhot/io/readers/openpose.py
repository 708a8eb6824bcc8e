"""OpenPose's files of an image each, and ComfyUI's lists of such images."""

from mmhot.io.readers.keys import Key

KEYS = {'pose_keypoints_2d': Key('points_2d')}
SIZE = {'canvas_width': 'width', 'canvas_height': 'height'}
"""ComfyUI's keys of the image size."""
SKELETONS = {25: 'openpose-25', 18: 'openpose-18'}
"""Joint orders by the number of points, as files do not name the joints."""
