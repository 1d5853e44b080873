"""Rasterises the icon packages into one cache: RGBA pictures and, for each, its noun, style and weight.

The packages are ordinary npm packages; install them below the work folder first:

    npm install --prefix WORK/icons @iconify-json/noto@1.2.9 @iconify-json/fluent-emoji@1.2.7 \\
        @iconify-json/fluent-emoji-flat@1.2.6 @iconify-json/fxemoji@1.2.2 @iconify-json/flat-color-icons@1.2.3
"""

from __future__ import annotations

import argparse
import io
import json
import sys
import textwrap
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import resvg_py
from PIL import Image

from config import base_parser
from names import CATEGORY_WEIGHTS, SOURCE_WEIGHTS, SOURCES, UNCATEGORISED_WEIGHT, categories, is_wanted, plain_name

RASTER = 128  # as wide as the largest picture, so that icons only ever shrink
BRIEF_NAMES = {"fxemoji"}  # packages whose names lack hyphens: only names known elsewhere are usable


@dataclass
class Icon:
    """What the captions need to know of one picture."""

    noun: str
    style: str
    weight: float
    source: str


def _read(package: Path) -> tuple[dict[str, object], dict[str, str]]:
    data = json.loads((package / "icons.json").read_text())
    return data, categories(json.loads((package / "metadata.json").read_text()))


def rasterise(body: str, left: int, top: int, width: int, height: int) -> np.ndarray:
    """One icon as RGBA bytes, [RASTER, RASTER, 4]; a missing aspect ratio is padded by the renderer."""
    svg = (
        '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        f'viewBox="{left} {top} {width} {height}" width="{RASTER}" height="{RASTER}">{body}</svg>'
    )
    png = resvg_py.svg_to_bytes(svg_string=svg, width=RASTER, height=RASTER, skip_system_fonts=True)
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGBA"))


def collect(root: Path) -> tuple[np.ndarray, list[Icon]]:
    """Every wanted icon of every package, in a fixed order."""
    packages = {source: _read(root / source) for source in SOURCES}
    known = {name for source in ("noto", "fluent-emoji-flat") for name in packages[source][0]["icons"]}
    joined = {name.replace("-", ""): name for name in sorted(known)}
    category_of = packages["noto"][1] | packages["fluent-emoji-flat"][1]
    pictures, icons = [], []
    for source, style in SOURCES.items():
        data, own_categories = packages[source]
        for name, icon in sorted(data["icons"].items()):
            full = joined.get(name, name)
            category = category_of.get(full) or own_categories.get(name, "")
            noun = plain_name(name, joined)
            if icon.get("hidden") or not is_wanted(full, category):
                continue
            if source in BRIEF_NAMES and name not in joined and noun == name:
                continue
            width, height = icon.get("width", data.get("width", 16)), icon.get("height", data.get("height", 16))
            picture = rasterise(icon["body"], icon.get("left", 0), icon.get("top", 0), width, height)
            if picture[..., 3].mean() < 8:
                continue
            pictures.append(picture)
            weight = CATEGORY_WEIGHTS.get(category, UNCATEGORISED_WEIGHT) * SOURCE_WEIGHTS[source]
            icons.append(Icon(noun, style, weight, source))
        print(f"{source}: {len(icons)} icons so far", file=sys.stderr)
    return np.stack(pictures), icons


def load(work: Path) -> tuple[np.ndarray, list[Icon]]:
    """The cache, made on first use."""
    raster_file, icons_file = work / "icons.npy", work / "icons.json"
    if not icons_file.exists():
        pictures, icons = collect(work / "icons" / "node_modules" / "@iconify-json")
        np.save(raster_file, pictures)
        icons_file.write_text(json.dumps([asdict(icon) for icon in icons]))
    return np.load(raster_file, mmap_mode="r"), [Icon(**entry) for entry in json.loads(icons_file.read_text())]


def listing(icons: list[Icon], root: Path) -> str:
    """Every icon under its package, version and licence, as the package states them."""
    parts = []
    for source in SOURCES:
        info, package = (json.loads((root / source / file).read_text()) for file in ("info.json", "package.json"))
        licence, author = info["license"], info["author"]
        head = f"{package['name']} {package['version']}, by {author['name']}, {author['url']}, {licence['spdx']}"
        nouns = sorted(icon.noun for icon in icons if icon.source == source)
        parts.append(f"{head}: {len(nouns)} icons\n\n" + textwrap.fill(", ".join(nouns), 160))
    return "\n\n".join(parts) + "\n"


def main() -> None:
    parser = base_parser(__doc__)
    parser.add_argument("--list", type=Path, metavar="FILE", help="write what each icon is and under which licence")
    args: argparse.Namespace = parser.parse_args()
    pictures, icons = load(args.work)
    if args.list:
        args.list.write_text(listing(icons, args.work / "icons" / "node_modules" / "@iconify-json"))
    nouns = {icon.noun for icon in icons}
    print(f"{len(icons)} icons, {len(nouns)} nouns, {pictures.nbytes / 1e6:.0f} MB", file=sys.stderr)


if __name__ == "__main__":
    main()
