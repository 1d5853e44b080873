"""Measures packages on held-out prompts, beside what real icons and wrongly paired icons score.

    python models/recipe/measure.py --work WORK --package old=FOLDER --package new=FOLDER

`real icons` are composed as each prompt asks: the most that a measure can be. `shuffled` is the same pictures against
each other's prompts: what a model that ignores its prompt would score. A run fails unless the two are far apart, which
is the test of the measures; `--check` does nothing else.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from pathlib import Path

import numpy as np

import classifier
import data
import icons
from asks import Ask, all_asks, nouns
from config import ICONS, base_parser
from data import Composer
from looks import SIDE, main_colour, nearest, pieces, shrink, spread, vectors
from onnx_pipeline import OnnxPipeline

BATCH, SEED, STYLE = 16, 100, "flat"
ROWS = {
    "colour": "main colour is the one asked for, held-out noun and colour",
    "noun": "noun among the classifier's top five, held-out noun and background",
    "plain": "the same, noun alone (seen in training)",
    "count": "one, two or three pieces as asked, two and three held out",
    "spread": "distance between four seeds of a prompt, mean",
    "nearest": "distance to the nearest training picture, median (held-out noun and background)",
    "copies": "share of those nearer than 0.05",
}
SHARES = ("colour", "noun", "plain", "count", "copies")
NEAR = 0.05  # root mean square of 0..1 at 32 by 32 pixels
# What --check demands of (real, shuffled).
BOUNDS = {"colour": (0.7, 0.4), "noun": (0.8, 0.2), "plain": (0.8, 0.2), "count": (0.8, 0.6)}


class Answers:
    """The right answers to asks: real icons, composed as asked."""

    def __init__(self, work: Path) -> None:
        self.composer = Composer(*icons.load(work), ICONS.image_size, SEED)
        self.rng = random.Random(SEED)
        self.of: dict[str, list[int]] = {}
        for i, entry in enumerate(self.composer.entries):
            self.of.setdefault(entry.noun, []).append(i)

    def flat(self, noun: str) -> int:
        """The icon that a prompt without a style word means; any other style where there is no such icon."""
        found = self.of[noun]
        return next((i for i in found if self.composer.entries[i].style == STYLE), found[0])

    def answer(self, ask: Ask) -> np.ndarray:
        """A picture [size, size, 3]; asks that repeat for other seeds are answered in any style."""
        index = self.rng.choice(self.of[ask.noun]) if ask.kind == "seed" else self.flat(ask.noun)
        return self.composer.draw(index, ask.colour, ask.ground, ask.count)

    def countable(self) -> set[str]:
        """Nouns whose drawing is one piece, and two pieces when drawn twice."""
        found = set()
        for noun in nouns():
            drawn = [self.composer.draw(self.flat(noun), None, "white", count) for count in (1, 2, 3)]
            if [pieces(picture) for picture in shrink(np.stack(drawn), SIDE)] == [1, 2, 3]:
                found.add(noun)
        return found


def draw(package: Path, asks: list[Ask], threads: int) -> np.ndarray:
    """What a package draws at its default steps and guidance: [asks, size, size, 3], the same noise for each run."""
    defaults = json.loads((package / "cuckoo.json").read_text())["defaults"]
    pipeline, drawn = OnnxPipeline(package, threads), []
    for at in range(0, len(asks), BATCH):
        prompts = [ask.prompt for ask in asks[at : at + BATCH]]
        noise = pipeline.noise(len(prompts), SEED + at)
        drawn.extend(pipeline.draw(prompts, noise, defaults["steps"], float(defaults["guidance"])).pixels)
        print(f"{package}: {len(drawn)} of {len(asks)} pictures", file=sys.stderr)
    return np.stack(drawn)


def training_vectors(work: Path) -> np.ndarray:
    """The training pictures at 32 by 32 pixels, as rows of bytes; kept, since shrinking 40,000 takes a while."""
    file = work / ICONS.name / "small.npy"
    if not file.exists():
        pictures, _ = data.load(ICONS, work)
        parts = [vectors(part, 32) for part in np.array_split(pictures, 100)]
        np.save(file, (np.concatenate(parts) * 255 + 0.5).astype(np.uint8))
    return np.load(file, mmap_mode="r")


def measure(asks: list[Ask], pictures: np.ndarray, network: object, training: np.ndarray) -> dict[str, float]:
    """The numbers of ROWS for one set of pictures, in the order of the asks."""
    looked = shrink(pictures, SIDE)

    def of(kind: str) -> list[int]:
        return [i for i, ask in enumerate(asks) if ask.kind == kind]

    result = {"colour": float(np.mean([main_colour(looked[i]) == asks[i].colour for i in of("colour")]))}
    for kind in ("noun", "plain"):
        found = classifier.right(network, looked[of(kind)], [asks[i].noun for i in of(kind)])
        result[kind] = float(found.mean())
    result["count"] = float(np.mean([pieces(looked[i]) == asks[i].count for i in of("count")]))
    groups: dict[str, list[int]] = {}
    for i in of("seed"):
        groups.setdefault(asks[i].noun, []).append(i)
    result["spread"] = float(np.mean([spread(pictures[group]) for group in groups.values()]))
    distances = nearest(pictures[of("noun")], training)
    return result | {"nearest": float(np.median(distances)), "copies": float((distances < NEAR).mean())}


def shuffled(asks: list[Ask], pictures: np.ndarray) -> np.ndarray:
    """The pictures of each kind of ask, in another order."""
    order = np.arange(len(asks))
    for kind in {ask.kind for ask in asks}:
        at = np.array([i for i, ask in enumerate(asks) if ask.kind == kind])
        order[at] = np.random.default_rng(SEED).permutation(at)
    return pictures[order]


def table(columns: dict[str, dict[str, float]]) -> str:
    """Markdown, one row a measure."""
    lines = [" | ".join(["", *columns]), "|".join(["---"] * (len(columns) + 1))]
    for key, words in ROWS.items():
        show = (lambda value: f"{value:.0%}") if key in SHARES else (lambda value: f"{value:.3f}")
        lines.append(" | ".join([words, *(show(column[key]) for column in columns.values())]))
    return "\n".join(f"| {line} |" for line in lines)


def check(real: dict[str, float], wrong: dict[str, float]) -> None:
    """Fails unless real icons score high and wrongly paired ones low."""
    for key, (least, most) in BOUNDS.items():
        if real[key] < least or wrong[key] > most:
            raise SystemExit(f"{key} measures nothing: real icons {real[key]:.2f}, shuffled {wrong[key]:.2f}")


def main() -> None:
    parser = base_parser(__doc__, model=False)
    parser.add_argument("--package", action="append", default=[], metavar="NAME=FOLDER", help="a column; may repeat")
    parser.add_argument("--check", action="store_true", help="only test the measures themselves")
    parser.add_argument("--threads", type=int, default=2, help="default: %(default)s")
    parser.add_argument("--out", type=Path, help="a JSON file for the numbers")
    parser.add_argument("--pictures", type=Path, help="a folder for what was drawn, one .npy a package")
    args: argparse.Namespace = parser.parse_args()

    answers, network = Answers(args.work), classifier.load(args.work)
    natural = {entry.noun for entry in answers.composer.entries}
    asks = all_asks(natural, answers.countable())
    training = training_vectors(args.work)
    real = np.stack([answers.answer(ask) for ask in asks])
    columns = {"real icons": measure(asks, real, network, training)}
    columns["shuffled"] = measure(asks, shuffled(asks, real), network, training)
    check(columns["real icons"], columns["shuffled"])
    for name, folder in (package.split("=", 1) for package in ([] if args.check else args.package)):
        drawn = draw(Path(folder), asks, args.threads)
        if args.pictures:
            np.save(args.pictures / f"{name}.npy", drawn)
        columns[name] = measure(asks, drawn, network, training)
    print(f"{len(asks)} prompts\n" + table(columns))
    if args.out:
        args.out.write_text(json.dumps(columns, indent=1) + "\n")


if __name__ == "__main__":
    main()
