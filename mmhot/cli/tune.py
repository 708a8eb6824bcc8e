"""Measure the speed of this machine and choose settings for a frame rate.

Example:
  mmhot tune walk.mp4 --target-fps 30

Times the first two seconds of the video with ever faster settings, and prints the most
accurate ones that reach the frame rate, with their error on rendered clips. The back
end is the fastest one here, unless it is given. `mmhot infer --target-fps` does the
same before each video, and adapts the settings of a stream while it runs.
"""

import argparse
from dataclasses import replace

from mmhot.apis.options import InferOptions
from mmhot.cli.options import add_options, read_options

_MODELS = ('pose2d', 'pose2d_weights', 'det_model', 'det_weights', 'backend')


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument('video', help='typical video of people')
    add_options(parser, InferOptions, ('target_fps', *_MODELS))


def run(args: argparse.Namespace) -> None:
    """Tune, and print the choice."""
    options = read_options(args, InferOptions)

    from mmhot.apis.lifting import open_pose_estimator, open_video_lifter
    from mmhot.video.inputs import open_inputs
    from mmhot.video.speed import tune

    source, *others = open_inputs([args.video])
    if others:
        raise ValueError(f'{args.video} must be one video')
    if options.target_fps is None:
        options = replace(options, target_fps=source.fps)
    pipeline = open_video_lifter(options)
    pipeline.pose_estimator = open_pose_estimator(options, args.say)
    tune(pipeline, source, options.target_fps, args.say)
