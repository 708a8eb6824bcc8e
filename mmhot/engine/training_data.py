"""Files of a config's datasets: early checks, and the sample data of the tests."""

from collections.abc import Iterator
from pathlib import Path

from mmengine.config import Config, ConfigDict

from mmhot.errors import naming
from mmhot.io.arrays import load_json

_SAMPLES = Path(__file__).parents[2] / 'tests' / 'data'
_PEOPLE = _SAMPLES / 'drawn_people'
_COCO = dict(data_root=f'{_PEOPLE}/', ann_file='annotations.json')
_FILES = {
    'MocapDataset': dict(data_root=f'{_SAMPLES}/cmu_mocap/', ann_file='cmu_h36m17.npz'),
    'CocoDataset': _COCO,
    'CocoWholeBodyDataset': _COCO,
}
_SPLITS = ('train', 'val', 'test')
_MAX_ANNOTATIONS = 2 << 30
# Of one step, and of an epoch.
_BATCH, _SAMPLES_PER_EPOCH = 2, 4


def check_data_files(config: Config, splits: tuple[str, ...]) -> None:
    """Check the files of datasets and metrics before the long start.

    Args:
        config (Config): Config, with all options applied.
        splits (tuple[str, ...]): Of 'train', 'val' and 'test'.

    Raises:
        FileNotFoundError: If one is missing; names the page about data and the option.
        ValueError: If COCO's AP of the annotations would be wrong.
    """
    for split in splits:
        loader = f'{split}_dataloader'
        for option, dataset in _datasets(config.get(loader), loader):
            root = dataset.get('data_root') or ''
            for name in _file_names(dataset):
                _check(name, Path(root, name), f'{option}.data_root')
            for folder in (dataset.get('data_prefix') or {}).values():
                _check(folder, Path(root, folder), f'{option}.data_prefix')
        for evaluator in _evaluators(config, split):
            for name in _file_names(evaluator):
                _check(name, Path(name), f'{split}_evaluator.ann_file')
                if 'Coco' in evaluator.type and Path(name).is_file():
                    _check_people(Path(name), evaluator.get('use_area', True))


def _evaluators(config: Config, split: str) -> list[ConfigDict]:
    found = config.get(f'{split}_evaluator') or []
    return [found] if isinstance(found, dict) else found


def _datasets(loader: dict | None, option: str) -> Iterator[tuple[str, ConfigDict]]:
    """Yield a loader's datasets, also wrapped ones, with their options."""
    for key in ('dataset', 'datasets'):
        within = (loader or {}).get(key, [])
        for number, dataset in enumerate([within] if key == 'dataset' else within):
            name = f'{option}.{key}' + ('' if key == 'dataset' else f'.{number}')
            if isinstance(dataset, dict):
                yield name, dataset
                yield from _datasets(dataset, name)


def _file_names(settings: dict) -> Iterator[str]:
    for key, value in settings.items():
        if key.endswith('_file'):
            names = value if isinstance(value, list | tuple) else [value]
            yield from (name for name in names if isinstance(name, str) and name)


def _check(name: str, path: Path, option: str) -> None:
    if '://' in name or path.exists() or Path(name).exists():
        return
    raise FileNotFoundError(
        f'{path} does not exist; docs/data.md says how to get it, '
        f'--cfg-options {option}=... reads it elsewhere, --sample takes small data'
    )


def _check_people(path: Path, use_area: bool) -> None:
    """Raise a ValueError if an annotated person cannot be evaluated."""
    from mmhot.compat.coco_evaluation import check_person

    with naming(path):
        for person in load_json(path, _MAX_ANNOTATIONS)['annotations']:
            if 'keypoints' in person:
                check_person(person, use_area)


def use_sample_data(config: Config) -> None:
    """Make a config read the sample data of the tests, for two steps of one epoch.

    Args:
        config (Config): Training config; changed in place.

    Raises:
        ValueError: If there are no sample data for a dataset of it.
    """
    if not _SAMPLES.is_dir():
        raise ValueError(
            f'--sample: needs a clone of the repository, {_SAMPLES} does not exist'
        )
    for split in _SPLITS:
        for dataset in _innermost_datasets(config.get(f'{split}_dataloader')):
            _replace_files(dataset)
        for evaluator in _evaluators(config, split):
            if evaluator.get('ann_file'):
                evaluator.ann_file = str(_PEOPLE / 'annotations.json')
    shorten(config)


def _innermost_datasets(loader: dict | None) -> Iterator[ConfigDict]:
    """Yield a loader's datasets that wrap no other."""
    for _, dataset in _datasets(loader, ''):
        if 'dataset' not in dataset and 'datasets' not in dataset:
            yield dataset


def _replace_files(dataset: ConfigDict) -> None:
    kind = dataset.type.rpartition('.')[2]
    if kind not in _FILES:
        raise ValueError(
            f'--sample: no sample data for {kind}, only for {", ".join(_FILES)}'
        )
    dataset.update(_FILES[kind])
    if 'data_prefix' in dataset:
        dataset.data_prefix = dict(img='')
    if 'bbox_file' in dataset:
        dataset.bbox_file = None


def shorten(config: Config) -> None:
    """Shorten a training to one epoch of two small batches, in one process."""
    small = dict(batch_size=_BATCH, num_workers=0, persistent_workers=False)
    for split in _SPLITS:
        loader = config.get(f'{split}_dataloader')
        if not loader:
            continue
        loader.update(small)
        if 'num_samples' in (loader.get('sampler') or {}):
            loader.sampler.num_samples = _SAMPLES_PER_EPOCH
            continue
        if loader.dataset.type.endswith('MultiViewDataset'):
            continue  # the first windows are all of one camera
        for dataset in _innermost_datasets(loader):
            dataset.indices = _SAMPLES_PER_EPOCH
    config.merge_from_dict({'train_cfg.max_epochs': 1, 'train_cfg.val_interval': 1})
    if 'logger' in config.get('default_hooks', {}):
        config.default_hooks.logger.interval = 1
