"""Join the boxes of rendered folders of whole scenes in one COCO-style file.

Example::

    python -m projects.rendered_people.join_scenes data/scenes
"""

import argparse
import json
from pathlib import Path

from projects.rendered_people.coco_people import ANNOTATIONS, IMAGES
from projects.rendered_people.commands import run_command
from projects.rendered_people.files import replacing

# What detectors are trained with; keypoints are most of the files.
_KEPT = ('category_id', 'bbox', 'area', 'iscrowd')


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        'folder', type=Path, help='folder of the folders, which gets annotations.json'
    )
    return parser.parse_args()


def join(folder: Path) -> dict:
    """Join the boxes of all subfolders; names of images start with theirs.

    Args:
        folder (Path): Has folders that ``render --whole-images`` wrote.

    Raises:
        FileNotFoundError: If there is none.
    """
    joined = {'images': [], 'annotations': []}
    paths = sorted(folder.glob(f'*/{ANNOTATIONS}'))
    if not paths:
        raise FileNotFoundError(f'{folder} has no folder with {ANNOTATIONS}')
    for path in paths:
        scenes = json.loads(path.read_text())
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
    print(f'{len(joined["images"])} images, {people} people')


def main() -> None:
    """Run the tool."""
    args = parse_args()
    run_command(lambda: run(args))


if __name__ == '__main__':
    main()
