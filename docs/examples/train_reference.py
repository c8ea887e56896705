"""Train the reference model from Python: two steps, which teach it nothing. Run it in the tutorial's folder."""

from pse_bench import Processes, Roots, train_model
from pse_bench.training import config

CORPUS = "corpus"


def main() -> None:
    short = ["steps=2", "batch=2", "data.rooms=2", "data.crops=1", "validation.speakers=2", "validation.scenes=1"]
    checkpoint = train_model(
        config.load("no-its", short),  # or "no-its" alone, or a file
        "from-python/run",
        executor=Processes(2),
        speech=[f"{CORPUS}/manifests/embedded.test.csv"],
        noise=[f"{CORPUS}/manifests/embedded.noise-test.csv"],
        roots=Roots.parse((f"embedded={CORPUS}",)),
        echo=print,
    )
    print(f"pse-bench enhance dataset --system {checkpoint} -o submissions/own")


if __name__ == "__main__":
    main()
