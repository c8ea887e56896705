"""The model of ``train_torch.py`` with Lightning, watched on a rendered dataset.

python train_lightning.py speech.csv noise.csv DATASET   # PSE_BENCH_ROOT_<CORPUS> as there
"""

import argparse

import pytorch_lightning as lightning
import torch
from torch.utils.data import DataLoader
from train_torch import MaskModel

from pse_bench.torch import DynamicMixing, MixtureDataset, collate


class Enhancer(lightning.LightningModule):
    """Trains a MaskModel and watches its loss in each scenario."""

    def __init__(self) -> None:
        super().__init__()
        self.model = MaskModel()

    def training_step(self, batch: dict, index: int) -> torch.Tensor:
        return self.model.loss(batch)

    def validation_step(self, batch: dict, index: int, dataloader_idx: int = 0) -> None:
        name = f"loss {batch['metadata'][0]['scenario']}"
        self.log(name, self.model.loss(batch), batch_size=len(batch["mixture"]), add_dataloader_idx=False)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), 3e-3)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("manifests", nargs=2)
    parser.add_argument("dataset")
    parser.add_argument("--scenario", default="training")
    parser.add_argument("--steps", type=int, default=20_000)
    parser.add_argument("--workers", type=int, default=0)
    asked = parser.parse_args()
    lightning.seed_everything(0)
    scenes = DynamicMixing(*asked.manifests, scenario=asked.scenario, batch=8, chunk_s=1.5)
    watched = [
        DataLoader(MixtureDataset(asked.dataset, scenarios=[name]), batch_size=4, collate_fn=collate)
        for name in ("TS1", "TS2", "TS3")
    ]
    quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
    trainer = lightning.Trainer(max_steps=asked.steps, devices=1, **quiet)
    enhancer = Enhancer()
    before = trainer.validate(enhancer, watched, verbose=False)
    trainer.fit(enhancer, DataLoader(scenes, batch_size=None, num_workers=asked.workers))
    after = trainer.validate(enhancer, watched, verbose=False)
    for first, last in zip(before, after, strict=True):
        print("\n".join(f"{name}: {first[name]:.4f} -> {value:.4f}" for name, value in last.items()))
    trainer.save_checkpoint("enhancer.ckpt")


if __name__ == "__main__":
    main()
