"""Join the boxes of rendered folders of whole scenes in one COCO-style file.

Example::

    python -m tools.lab.join_scenes data/scenes
"""

import argparse
import json
import sys
from pathlib import Path

from mmhot.cli.errors import OneLineParser, print_line, run_safely
from mmhot.io.arrays import load_json
from mmhot.io.atomic import replacing
from tools.lab.coco_people import ANNOTATIONS, IMAGES

# What detectors are trained with; keypoints are most of the files.
_KEPT = ('category_id', 'bbox', 'area', 'iscrowd')


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = OneLineParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        'folder', type=Path, help='folder of the folders, which gets annotations.json'
    )
    return parser.parse_args()


def join(folder: Path) -> dict:
    """Join the boxes of all subfolders; names of images start with theirs.

    Args:
        folder (Path): Has folders of ``tools.lab.render_people --whole-images``.

    Raises:
        FileNotFoundError: If there is none.
    """
    joined = {'images': [], 'annotations': []}
    paths = sorted(folder.glob(f'*/{ANNOTATIONS}'))
    if not paths:
        raise FileNotFoundError(f'{folder} has no folder with {ANNOTATIONS}')
    for path in paths:
        scenes = load_json(path)
        joined['categories'] = scenes['categories']
        numbers = {}
        for image in scenes['images']:
            numbers[image['id']] = len(joined['images']) + 1
            name = f'{path.parent.name}/{IMAGES}/{image["file_name"]}'
            image |= {'id': numbers[image['id']], 'file_name': name}
            joined['images'].append(image)
        for person in scenes['annotations']:
            number = len(joined['annotations']) + 1
            box = {name: person[name] for name in _KEPT}
            box |= {'id': number, 'image_id': numbers[person['image_id']]}
            joined['annotations'].append(box)
    return joined


def run(args: argparse.Namespace) -> None:
    """Join and write."""
    joined = join(args.folder)
    with replacing(args.folder / ANNOTATIONS) as temporary:
        temporary.write_text(json.dumps(joined))
    people = len(joined['annotations'])
    print_line(f'{len(joined["images"])} images, {people} people')


def main() -> int:
    """Run the tool."""
    args = parse_args()
    return run_safely('join_scenes', lambda: run(args))


if __name__ == '__main__':
    sys.exit(main())
