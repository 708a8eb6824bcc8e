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

from mmhot.apis.command_options import SearchOptions
from mmhot.cli.options import add_options, given_options
from mmhot.cli.report import add_report_arguments, align, report


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument('query', type=Path, help='.npz file of the movement')
    parser.add_argument('library', type=Path, help='folder of .npz files to search')
    add_options(parser, SearchOptions)
    add_report_arguments(parser)


def run(args: argparse.Namespace) -> None:
    """Print the matches."""
    from mmhot.apis.search import search

    matches = search(
        args.query,
        args.library,
        bars=args.bars,
        **given_options(args, SearchOptions),
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
