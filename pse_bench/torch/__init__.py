"""Data for models of one's own: datasets, and scenes mixed on the fly, as torch reads them.

Every sound is a float32 tensor of full scale ±1, every activity a bool tensor of frames of 10 ms.
"""

from pse_bench.torch.collate import collate
from pse_bench.torch.dynamic_mixing import DynamicMixing
from pse_bench.torch.mixture_dataset import MixtureDataset

__all__ = ["DynamicMixing", "MixtureDataset", "collate"]
