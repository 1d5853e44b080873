"""Writes first_states.json: the first state of requests to stock models, which every machine must have bit for bit.

It is computed here without the program under test: the noise as noise.py has it, times the standard deviation that
diffusers' scheduler starts from with the settings in stock/, in fp32; then zeros where a scheduler keeps a second tensor.
Of a request with an input picture, the state is the picture: (65536 R + 256 G + B) / 2^24 a pixel. `sha256` is of the
state's canonical bytes, `bits` are its first four values. Needs diffusers 0.39, torch and numpy.
"""

import hashlib
import json
from pathlib import Path

import diffusers
import numpy as np
from noise import normals

HERE = Path(__file__).parent
SCHEDULERS = {
    "ddim": "DDIMScheduler",
    "euler": "EulerDiscreteScheduler",
    "euler-ancestral": "EulerAncestralDiscreteScheduler",
    "dpmpp-2m": "DPMSolverMultistepScheduler",
    "lcm": "LCMScheduler",
}
# Model, width, height, steps, seed; for each scheduler.
DRAWN = [
    ("sd15", 64, 64, 20, 0),
    ("sd15", 512, 512, 50, 42),
    ("sd15", 512, 768, 4, 2**53 - 1),
    ("sd-turbo", 512, 512, 1, 7),
    ("sdxl", 1024, 1024, 30, 1),
]
# Model, width, height.
PICTURES = [("sd15", 64, 64), ("sd15", 512, 768), ("sdxl", 1024, 1024)]


def entry(state: np.ndarray) -> dict[str, object]:
    data = state.astype("<f4").tobytes()
    bits = [data[at : at + 4][::-1].hex() for at in range(0, 16, 4)]
    return {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest(), "bits": bits}


def drawn(model: str, width: int, height: int, steps: int, seed: int) -> list[dict[str, object]]:
    count = 4 * (width // 8) * (height // 8)
    noise = np.frombuffer(b"".join(normals(seed, 0, count)), ">f4").astype(np.float32)
    settings = json.loads((HERE / "stock" / model / "scheduler" / "scheduler_config.json").read_text())
    request = {"model": model, "width": width, "height": height, "steps": steps, "seed": seed}
    rows = []
    for name, kind in SCHEDULERS.items():
        scheduler = getattr(diffusers, kind).from_config(settings)
        scheduler.set_timesteps(steps)
        state = noise * np.float32(float(scheduler.init_noise_sigma))
        if name == "dpmpp-2m":
            state = np.concatenate([state, np.zeros_like(state)])
        rows.append(request | {"scheduler": name} | entry(state))
    return rows


def picture(model: str, width: int, height: int) -> dict[str, object]:
    places = np.arange(width * height * 3)
    rgb = (places * 37 + (places // 97) ** 2).astype(np.uint8).reshape(-1, 3).astype(np.uint32)
    state = (rgb @ np.array([65536, 256, 1], np.uint32)).astype(np.float32) / np.float32(2**24)
    return {"model": model, "width": width, "height": height} | entry(state)


def main() -> None:
    parts = {
        "drawn": [row for case in DRAWN for row in drawn(*case)],
        "pictures": [picture(*case) for case in PICTURES],
    }
    text = ",\n".join(
        f'"{name}": [\n' + ",\n".join(json.dumps(row, separators=(",", ":")) for row in rows) + "\n]"
        for name, rows in parts.items()
    )
    (HERE / "first_states.json").write_text(f"{{\n{text}\n}}\n")


if __name__ == "__main__":
    main()
