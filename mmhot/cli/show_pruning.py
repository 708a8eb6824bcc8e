"""Show which patches of an image a GTPT keeps, by layer and keypoint group.

Example:
  mmhot show-pruning person.jpg --bbox 40,10,200,380 --out kept.png
  mmhot show-pruning person.jpg gtpt.py gtpt.pth --bbox 40,10,200,380 --out kept.png

Each column is a range of layers, each row a group of keypoints.
"""

import argparse
from pathlib import Path

from mmhot.cli.options import read_numbers
from mmhot.cli.report import output_file


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument('image', type=Path, help='image of a person')
    parser.add_argument(
        'config',
        nargs='?',
        default='gtpt-t',
        help='config of a GTPT, or the name of one (default: gtpt-t)',
    )
    parser.add_argument(
        'checkpoint', nargs='?', help='its weights (default: those of the named model)'
    )
    parser.add_argument(
        '--out', type=output_file, required=True, metavar='FILE', help='.png to write'
    )
    parser.add_argument(
        '--bbox',
        type=read_numbers,
        metavar='X1,Y1,X2,Y2',
        help='bounding box of the person in pixels (default: the whole image)',
    )
    parser.add_argument(
        '--keep-rates',
        type=read_numbers,
        metavar='LIST',
        help='kept share of patches in each stage, such as 1,0.7,0.3,0.1 (default: as '
        'in the config)',
    )
    parser.add_argument(
        '--zoom',
        type=float,
        default=1.5,
        metavar='FACTOR',
        help='size of the drawing relative to the crop (default: 1.5)',
    )


def run(args: argparse.Namespace) -> None:
    """Draw and write the image."""
    if args.out.suffix != '.png':
        raise ValueError(f'out must be a .png file, got {args.out}')
    if args.bbox and (len(args.bbox) != 4 or not _has_area(args.bbox)):
        raise ValueError(
            'bbox must be left,top,right,bottom in pixels, got '
            f'{",".join(f"{x:g}" for x in args.bbox)}'
        )
    if not 0.5 <= args.zoom <= 8:
        raise ValueError(f'zoom must be from 0.5 to 8, got {args.zoom:g}')
    from mmhot.cli.runner import check_checkpoint
    from mmhot.io.images import read_image
    from mmhot.video.sources.model_names import find_pose_model

    image = read_image(args.image)
    named = find_pose_model(args.config)
    weights = args.checkpoint or named.weights
    if not weights:
        raise ValueError(
            f'{args.config} is a config without weights: name a checkpoint'
        )
    check_checkpoint(weights)

    from mmpose.apis import init_model

    from mmhot.apis.pruning_trace import trace_pruning
    from mmhot.installation import choose_device
    from mmhot.io.images import write_png
    from mmhot.visualization.pruning import draw_pruning
    from mmhot.weights.config_files import read_config_file

    config = read_config_file(named.config)
    model = init_model(config, weights, device=choose_device(args.device))
    trace = trace_pruning(model, image, args.bbox, args.keep_rates)
    write_png(args.out, draw_pruning(trace, args.zoom))
    args.say(f'{args.out}: {len(trace.stages)} stages of {len(trace.groups)} groups')


def _has_area(bbox: list[float]) -> bool:
    left, top, right, bottom = bbox
    return right > left and bottom > top
