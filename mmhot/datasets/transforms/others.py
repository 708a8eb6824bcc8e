"""Other samples of the dataset that a transform works for."""

import numpy as np
from mmengine.dataset import BaseDataset
from mmpose.datasets.transforms import LoadImage

# most datasets leave it to a transform to load pictures
_LOAD = LoadImage()


def draw_sample(dataset: BaseDataset) -> dict:
    """Draw any sample of a dataset, with its picture in ``img``."""
    return _LOAD(dataset.get_data_info(np.random.randint(len(dataset))))
