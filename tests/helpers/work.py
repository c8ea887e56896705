"""Commands on a small corpus, and what they made."""

import json
from pathlib import Path

from click.testing import CliRunner, Result

from pse_bench.cli import cli

METRICS = "tsos,leakage_reduction_db,si_sdr"


def call(*words: object) -> Result:
    """Run a command in this process."""
    done = CliRunner().invoke(cli, [str(word) for word in words], prog_name="pse-bench")
    # anything that is not a clean exit is a fault of ours and keeps its traceback
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder by its path; of dataset.json all but how long the work took, and its seal."""
    found = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    if "dataset.json" in found:
        document = json.loads(found["dataset.json"])
        document.pop("timings_s")
        document.pop("seal_sha256")
        found["dataset.json"] = json.dumps(document).encode()
    return found


class Home:
    """A folder with a corpus, its plan, and commands on them that write below ``out``."""

    def __init__(self, root: Path, out: Path) -> None:
        self.root, self.out = root, out

    @property
    def plan(self) -> Path:
        return self.root / "plan.jsonl"

    @property
    def dataset(self) -> Path:
        return self.root / "dataset"

    def words(self, stage: str, name: str) -> list[object]:
        """The words of a command that makes ``out/name``."""
        roots = ["--root", f"voices={self.root / 'speech'}", "--root", f"noises={self.root / 'noise'}"]
        bank = ["--room-bank", self.root / "bank"]
        return {
            "render": ["render", self.plan, *roots, *bank, "-o", self.out / name, "--jobs", 1],
            "detect": ["detect", self.dataset, "--system", "energy", "-o", self.out / name],
            "score activity": ["score", self.dataset, self.root / "activity", "-o", self.out / name, "--jobs", 1],
            "enhance": ["enhance", self.dataset, "--system", "mixture", "-o", self.out / name],
            "score": [
                *("score", self.dataset, self.root / "mixture", "-o", self.out / name, "--jobs", 1),
                *("--metrics", METRICS, "--no-cache"),
            ],
        }[stage]

    def serial(self, stage: str) -> Path:
        """What one run makes."""
        if stage == "render":
            return self.dataset
        return self.root / {"enhance": "mixture", "detect": "activity"}.get(
            stage, stage.replace("score", "scores")
        )
