"""Find the clips with the most similar movements, in any camera, by any person.

Example:
  mmhot search walk.npz clips/ --checkpoint poseclr.pth

Query and library are .npz files of 2D keypoints or results of `mmhot infer`. A model
pre-trained with PoseCLR compares their movements, see docs/search.md. The library's
index is extended when files are new or changed.
"""

import argparse
from dataclasses import asdict
from pathlib import Path

from mmhot.cli.report import add_report_arguments, align, report


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument('query', type=Path, help='.npz file of the movement')
    parser.add_argument('library', type=Path, help='folder of .npz files to search')
    parser.add_argument(
        '--checkpoint',
        type=Path,
        required=True,
        metavar='FILE',
        help='model of PoseCLR',
    )
    parser.add_argument(
        '--top',
        type=int,
        default=10,
        metavar='N',
        help='number of matches (default: 10)',
    )
    parser.add_argument(
        '--stride',
        type=float,
        default=0.5,
        metavar='SECONDS',
        help='interval of the compared windows (default: 0.5)',
    )
    parser.add_argument(
        '--index',
        type=Path,
        metavar='FILE',
        help='file of the index (default: .mmhot-index.npz in the library)',
    )
    add_report_arguments(parser)


def run(args: argparse.Namespace) -> None:
    """Print the matches."""
    from mmhot.apis.search import search

    matches = search(
        args.query,
        args.library,
        args.checkpoint,
        top=args.top,
        stride=args.stride,
        index=args.index,
        device=args.device or 'auto',
        bars=args.bars,
    )
    rows = [
        (
            match.clip,
            str(match.track),
            f'{match.begin:.2f}',
            f'{match.end:.2f}',
            f'{match.similarity:.3f}',
            f'{match.query_begin:.2f}',
        )
        for match in matches
    ]
    head = ('clip', 'track', 'begin/s', 'end/s', 'cosine', 'query/s')
    content = dict(matches=[asdict(match) for match in matches])
    report(args, content, lambda: [align([head, *rows])])
