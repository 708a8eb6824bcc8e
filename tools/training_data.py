"""Modules and datasets of a config, and the sample data of the tests."""

from collections.abc import Iterator
from pathlib import Path

from mmengine.config import Config, ConfigDict
from mmengine.utils import import_modules_from_strings

from mmhot.errors import explain

_SAMPLES = Path(__file__).resolve().parents[1] / 'tests' / 'data'
_PEOPLE = _SAMPLES / 'drawn_people'
_COCO = dict(data_root=f'{_PEOPLE}/', ann_file='annotations.json')
_FILES = {
    'MocapDataset': dict(data_root=f'{_SAMPLES}/cmu_mocap/', ann_file='cmu_h36m17.npz'),
    'CocoDataset': _COCO,
    'CocoWholeBodyDataset': _COCO,
}
SPLITS = ('train', 'val', 'test')
_BATCH_SIZE = 2  # samples of a step
_SAMPLES_PER_EPOCH = 4
_STRIDE = 10_000  # frames; longer than all clips, so that each one has one window


def import_modules_of(config: Config) -> None:
    """Import a config's ``custom_imports``, which register what it names.

    Raises:
        ValueError: If one cannot be imported.
    """
    try:
        import_modules_from_strings(**config.get('custom_imports', dict(imports=[])))
    except KeyError as error:
        raise ValueError(f'{config.filename}: {explain(error) or error}') from error
    except (AttributeError, ImportError, TypeError) as error:
        raise ValueError(f'{config.filename}: {error}') from error


def evaluators_of(config: Config, split: str) -> list[ConfigDict]:
    """List the metrics of a split."""
    found = config.get(f'{split}_evaluator') or []
    return [found] if isinstance(found, dict) else found


def use_sample_data(config: Config) -> None:
    """Make a config read the sample data of the tests, for two steps of training.

    Raises:
        ValueError: If there are no sample data for one of its datasets.
    """
    if not _SAMPLES.is_dir():
        raise ValueError(
            f'--sample: needs a clone of the repository, {_SAMPLES} does not exist'
        )
    for split in SPLITS:
        for dataset in innermost_datasets(config.get(f'{split}_dataloader')):
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
        for evaluator in evaluators_of(config, split):
            if evaluator.get('ann_file'):
                evaluator.ann_file = str(_PEOPLE / 'annotations.json')
    shorten(config)


def innermost_datasets(loader: dict | None) -> Iterator[ConfigDict]:
    """Yield the datasets of a loader, or of a dataset, that wrap no other one."""
    loader = loader or {}
    for dataset in (loader.get('dataset'), *loader.get('datasets', [])):
        if isinstance(dataset, dict):
            within = [*innermost_datasets(dataset)]
            yield from within or [dataset]


def shorten(config: Config) -> None:
    """Shorten a training to one epoch of two small batches, in one process."""
    small = dict(batch_size=_BATCH_SIZE, num_workers=0, persistent_workers=False)
    for split in SPLITS:
        loader = config.get(f'{split}_dataloader')
        if not loader:
            continue
        loader.update(small)
        if 'num_samples' in (loader.get('sampler') or {}):
            loader.sampler.num_samples = _SAMPLES_PER_EPOCH
            continue
        if loader.dataset.type.endswith('MultiViewDataset'):
            continue  # the first windows are all of one camera
        for dataset in innermost_datasets(loader):
            if 'sources' in dataset:  # a window of each clip in each source
                dataset.stride = _STRIDE
            else:
                dataset.indices = _SAMPLES_PER_EPOCH
    config.merge_from_dict({'train_cfg.max_epochs': 1, 'train_cfg.val_interval': 1})
    if 'logger' in config.get('default_hooks', {}):
        config.default_hooks.logger.interval = 1
