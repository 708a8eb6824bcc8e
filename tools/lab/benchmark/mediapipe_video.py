"""MediaPipe's Pose (the model of its package) on a video, as often as lines are read.

Runs in an environment of its own with ``mediapipe==0.10.21`` and ``av``, for
:mod:`tools.lab.benchmark.record`: each line of the standard input is answered by the
number of frames with a person, after all frames.
"""

import sys

import av
from mediapipe.python.solutions.pose import Pose

with Pose(model_complexity=1) as pose:
    for _ in sys.stdin:
        pose.reset()
        found = 0
        with av.open(sys.argv[1]) as video:
            for frame in video.decode(video=0):
                result = pose.process(frame.to_ndarray(format='rgb24'))
                found += result.pose_world_landmarks is not None
        print(found, flush=True)
