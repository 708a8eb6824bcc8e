"""EasyMocap: folder ``keypoints3d`` with a JSON file per image.

People have x, y, z and score of OpenPose's 25 joints, and then perhaps of hands and
face, in meters and in the axes of the calibration:

    >>> from mmhot.io.readers.people import people_of
    >>> people_of([{'id': 0, 'keypoints3d': [[0.1, 0.2, 1.6, 0.9]]}])
    [{'id': 0, 'axes': 'world', 'points_3d': [[0.1, 0.2, 1.6, 0.9]]}]
"""

from mmhot.io.readers.keys import Key

KEYS = {'keypoints3d': Key('points_3d', {'axes': 'world'}, num_points=25)}
