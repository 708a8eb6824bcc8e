"""EasyMocap: files of an image each, with people in the world's axes."""

from mmhot.io.readers.keys import Key

# The body, OpenPose's 25 joints, comes before hands and face.
KEYS = {'keypoints3d': Key('points_3d', {'axes': 'world'}, num_points=25)}
