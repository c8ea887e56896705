"""Train a model of one's own, here a small mask estimator, on scenes that pse-bench mixes on the fly.

python train_torch.py speech.csv noise.csv   # manifests; PSE_BENCH_ROOT_<CORPUS> says where their files lie
"""

import argparse

import torch
from torch.utils.data import DataLoader

from pse_bench.torch import DynamicMixing


class MaskModel(torch.nn.Module):
    """A causal mask from the spectra of the mixture and of the enrollment."""

    def __init__(self, size: int = 64, window: int = 512) -> None:
        super().__init__()
        self.speaker = torch.nn.Linear(window // 2 + 1, size)
        self.recurrent = torch.nn.GRU(window // 2 + 1 + size, size, batch_first=True)
        self.mask = torch.nn.Linear(size, window // 2 + 1)
        self.register_buffer("window", torch.hann_window(window))

    def spectrum(self, sound: torch.Tensor) -> torch.Tensor:
        """Complex, (batch, frames, bins)."""
        size = len(self.window)
        return torch.stft(sound, size, size // 2, window=self.window, return_complex=True).transpose(1, 2)

    def forward(self, mixture: torch.Tensor, enrollment: torch.Tensor) -> torch.Tensor:
        spectrum = self.spectrum(mixture)
        voice = self.speaker(self.spectrum(enrollment).abs().add(1e-4).log().mean(1, keepdim=True))
        features = [spectrum.abs().add(1e-4).log(), voice.expand(-1, spectrum.shape[1], -1)]
        return spectrum * self.mask(self.recurrent(torch.cat(features, -1))[0]).sigmoid()

    def loss(self, batch: dict) -> torch.Tensor:
        """Distance of compressed magnitudes; the reference of TS3 is silence, so leakage costs, too."""
        output = self(batch["mixture"], batch["enrollment"]).abs().add(1e-8) ** 0.3
        return (output - self.spectrum(batch["reference"]).abs() ** 0.3).square().mean()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("manifests", nargs=2)
    parser.add_argument("--scenario", default="training")
    parser.add_argument("--steps", type=int, default=20_000)
    parser.add_argument("--workers", type=int, default=0)
    asked = parser.parse_args()
    scenes = DynamicMixing(*asked.manifests, scenario=asked.scenario, batch=8, chunk_s=1.5, stop=asked.steps)
    model = MaskModel()
    optimiser = torch.optim.Adam(model.parameters(), 3e-3)
    for step, batch in enumerate(DataLoader(scenes, batch_size=None, num_workers=asked.workers)):
        optimiser.zero_grad()
        loss = model.loss(batch)
        loss.backward()
        optimiser.step()
        if step % 20 == 0:
            print(f"step {step}: loss {loss.item():.4f}")
    torch.save(model.state_dict(), "mask_model.pt")


if __name__ == "__main__":
    main()
