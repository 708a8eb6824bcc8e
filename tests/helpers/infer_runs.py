"""``mmhot infer`` in this process, with stand-ins for the 2D models."""

from pose_sources import FunctionDetector, FunctionEstimator

from mmhot.cli.dispatch import main
from mmhot.video.people import Detector, PoseEstimator
from mmhot.video.sources import pose_source


def use_stand_ins(monkeypatch, detector, estimator):
    """Replace the 2D models; returns a list of the options they are opened with."""
    opened = []
    if not isinstance(detector, Detector):
        detector = FunctionDetector(detector)
    if not isinstance(estimator, PoseEstimator):
        estimator = FunctionEstimator(estimator)

    def open_pose_source(*options):
        opened.append(options)
        return pose_source.PoseSource(detector, estimator)

    monkeypatch.setattr(pose_source, 'open_pose_source', open_pose_source)
    return opened


def infer(*inputs, **options):
    """Run the command; returns its exit code. True stands for a flag."""
    argv = ['infer', *map(str, inputs)]
    for name, value in options.items():
        flag = f'--{name.replace("_", "-")}'
        argv += [flag] if value is True else [flag, str(value)]
    try:
        return main(argv)
    except SystemExit as left:
        return left.code
