"""Write the page that lifts videos in the visitor's browser.

Example:
  (cd projects/browser && npm ci && npm run build)
  python -m projects.browser --out outputs/browser
"""

import argparse
from pathlib import Path

from projects.browser.page_files import MODELS, write_page


def main() -> None:
    """Write the page."""
    parser = argparse.ArgumentParser(
        prog='python -m projects.browser',
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('--out', type=Path, required=True, help='folder of the page')
    for kind, name in MODELS.items():
        parser.add_argument(
            f'--{kind}',
            default=name,
            metavar='MODEL',
            help=f'shipped weights or a folder of `mmhot export` (default: {name})',
        )
    args = parser.parse_args()
    try:
        write_page(args.out, {kind: getattr(args, kind) for kind in MODELS})
    except (OSError, ValueError) as error:
        parser.error(str(error))
    print(
        f'{args.out}: copy it to a web server, or: python -m http.server -d {args.out}'
    )


if __name__ == '__main__':
    main()
