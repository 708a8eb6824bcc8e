"""Files of a config's datasets: early checks, and the sample data of the tests."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from mmengine.config import Config, ConfigDict
from mmengine.utils import import_modules_from_strings
from mmpose.datasets import CocoWholeBodyDataset
from mmpose.datasets.datasets.base import BaseCocoStyleDataset
from mmpose.datasets.datasets.utils import parse_pose_metainfo
from mmpose.registry import DATASETS

from mmhot.compat.coco_evaluation import PARTS
from tools.coco_checks import CocoNeeds, read_coco

_SAMPLES = Path(__file__).resolve().parents[1] / 'tests' / 'data'
_PEOPLE = _SAMPLES / 'drawn_people'
_COCO = dict(data_root=f'{_PEOPLE}/', ann_file='annotations.json')
_FILES = {
    'MocapDataset': dict(data_root=f'{_SAMPLES}/cmu_mocap/', ann_file='cmu_h36m17.npz'),
    'CocoDataset': _COCO,
    'CocoWholeBodyDataset': _COCO,
}
_SPLITS = ('train', 'val', 'test')
# Samples of one step, and of an epoch
_BATCH, _SAMPLES_PER_EPOCH = 2, 4
_STRIDE = 10_000


def check_data_files(config: Config, splits: tuple[str, ...]) -> None:
    """Check the files of datasets and metrics of splits before the long start.

    Raises:
        FileNotFoundError: If one is missing; names the page about data and the option.
        ValueError: If annotations in COCO's format do not fit the model or the metric.
    """
    require_data_files(config, splits)
    for path, needs, folder in coco_files(config, splits):
        _, faults = read_coco(path, needs, folder)
        if faults:
            raise ValueError(f'{path}: {faults[0]}')


def require_data_files(config: Config, splits: tuple[str, ...]) -> None:
    """Raise a FileNotFoundError if a file of :func:`check_data_files` is missing."""
    for split in splits:
        loader, files = f'{split}_dataloader', []
        for option, dataset in _datasets(config.get(loader), loader):
            root, key = dataset.get('data_root') or '', f'{option}.data_root'
            files += [(x, Path(root, x), key) for x in _file_names(dataset)]
            folders, key = dataset.get('data_prefix') or {}, f'{option}.data_prefix'
            files += [(x, Path(root, x), key) for x in folders.values()]
        for evaluator in _evaluators(config, split):
            option = f'{split}_evaluator.ann_file'
            files += [(x, Path(x), option) for x in _file_names(evaluator)]
        for name, path, option in files:
            if '://' not in name and not path.exists() and not Path(name).exists():
                raise FileNotFoundError(
                    f'{path} does not exist; docs/data.md says how to get it, '
                    f'--cfg-options {option}=... reads it elsewhere, --sample takes '
                    'small data'
                )


def coco_files(
    config: Config, splits: tuple[str, ...]
) -> list[tuple[Path, CocoNeeds, Path | None]]:
    """List the annotation files in COCO's format, each once.

    With each file come what the config's datasets and metrics need of it, and the
    folder of its images, None if it is not known or not local.
    """
    needs_by_file = {}
    for split in splits:
        metrics = [x for x in _evaluators(config, split) if 'Coco' in x.type]
        files, fields = [], []
        for metric in metrics:  # what it needs besides its dataset
            files.append(metric.get('ann_file'))
            fields += ['area'] if metric.get('use_area', True) else []
            if metric.get('iou_type') == 'keypoints_crowd':
                fields.append('num_keypoints')
            fields += [] if metric.get('ann_file') else ['iscrowd']
        for _, dataset in _datasets(config.get(f'{split}_dataloader'), ''):
            name = dataset.get('ann_file')
            if not isinstance(name, str) or not name.endswith('.json') or '://' in name:
                continue
            needs = _needs_of(dataset, config)
            if needs is None:
                continue
            root = dataset.get('data_root') or ''
            folder = (dataset.get('data_prefix') or {}).get('img')
            is_local = folder is not None and not dataset.get('backend_args')
            folder = Path(root, folder) if is_local else None
            own_file = Path(root, name)
            for path in {own_file, *(Path(file or own_file) for file in files)}:
                earlier, _ = needs_by_file.get(path, (needs, folder))
                united = dict.fromkeys((*earlier.fields, *needs.fields, *fields))
                needs_by_file[path] = replace(needs, fields=tuple(united)), folder
    return [(path, *needs) for path, needs in needs_by_file.items()]


def _needs_of(dataset: ConfigDict, config: Config) -> CocoNeeds | None:
    """Return what a dataset needs; None if it does not read COCO's format."""
    import_modules_of(config)
    scope, _, name = dataset.type.rpartition('.')
    scope = scope or dataset.get('_scope_') or config.get('default_scope')
    if scope == 'mmdet':
        classes = tuple((dataset.get('metainfo') or {}).get('classes', ()))
        fields = ('area', 'iscrowd') if dataset.get('test_mode') else ('area',)
        return CocoNeeds(fields=fields, classes=classes) if 'Coco' in name else None
    kind = DATASETS.get(dataset.type)
    if kind is None or not issubclass(kind, BaseCocoStyleDataset):
        return None
    if kind._load_annotations is not BaseCocoStyleDataset._load_annotations:
        return None
    metainfo = parse_pose_metainfo(dataset.get('metainfo') or kind.METAINFO)
    names = metainfo['keypoint_id2name']
    joints = tuple(names[index] for index in range(len(names)))
    if issubclass(kind, CocoWholeBodyDataset):
        fields = ('area', 'iscrowd', 'num_keypoints', 'segmentation')
        return CocoNeeds(joints, PARTS, fields)
    return CocoNeeds(joints, PARTS[:1])


def import_modules_of(config: Config) -> None:
    """Import a config's ``custom_imports``, which register what it names.

    Raises:
        ValueError: If one cannot be imported.
    """
    try:
        import_modules_from_strings(**config.get('custom_imports', dict(imports=[])))
    except (AttributeError, ImportError, KeyError, TypeError) as error:
        raise ValueError(f'{config.filename}: {error}') from error


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


def use_sample_data(config: Config) -> None:
    """Make a training config read the sample data of the tests, for two steps.

    Raises:
        ValueError: If there are no sample data for a dataset of it.
    """
    if not _SAMPLES.is_dir():
        raise ValueError(
            f'--sample: needs a clone of the repository, {_SAMPLES} does not exist'
        )
    for split in _SPLITS:
        for dataset in _innermost_datasets(config.get(f'{split}_dataloader')):
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
        for evaluator in _evaluators(config, split):
            if evaluator.get('ann_file'):
                evaluator.ann_file = str(_PEOPLE / 'annotations.json')
    shorten(config)


def _innermost_datasets(loader: dict | None) -> Iterator[ConfigDict]:
    for _, dataset in _datasets(loader, ''):
        if 'dataset' not in dataset and 'datasets' not in dataset:
            yield dataset


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
            if 'sources' in dataset:  # a window of each clip in each source
                dataset.stride = _STRIDE
            else:
                dataset.indices = _SAMPLES_PER_EPOCH
    config.merge_from_dict({'train_cfg.max_epochs': 1, 'train_cfg.val_interval': 1})
    if 'logger' in config.get('default_hooks', {}):
        config.default_hooks.logger.interval = 1
