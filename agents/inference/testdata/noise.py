"""Writes noise.json: vectors of the noise that src/noise.rs describes, computed here from that description alone.

Python's own `math` differs from the `libm` crate in the last bit of a double now and then; rounded to fp32 that shows
about once in 10^8 values, and not in these.
"""

import json
import math
import struct
from pathlib import Path

CASES = [(0, 0), (1, 0), (1, 1), (2**32, 0), (2**53 - 1, 49), (2**64 - 1, 2**64 - 1)]
COUNT = 40  # normals a case: 80 words of 64 bits, more than one block of 16


def chacha20_block(key: bytes, counter: int, stream: int) -> list[int]:
    """The 16 words of a block of the original ChaCha20: 64-bit counter, 64-bit nonce."""
    mask = 0xFFFFFFFF
    start = [0x61707865, 0x3320646E, 0x79622D32, 0x6B206574, *struct.unpack("<8I", key)]
    start += [counter & mask, counter >> 32, stream & mask, stream >> 32]
    x = start.copy()

    def quarter(a: int, b: int, c: int, d: int) -> None:
        for p, q, r, turn in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
            x[p] = (x[p] + x[q]) & mask
            x[r] ^= x[p]
            x[r] = ((x[r] << turn) | (x[r] >> (32 - turn))) & mask

    for _ in range(10):
        for i in range(4):
            quarter(i, 4 + i, 8 + i, 12 + i)
        for i in range(4):
            quarter(i, 4 + (i + 1) % 4, 8 + (i + 2) % 4, 12 + (i + 3) % 4)
    return [(a + b) & mask for a, b in zip(x, start)]


def normals(seed: int, step: int, count: int) -> list[bytes]:
    """Big-endian fp32 bytes of the first `count` normals."""
    key = struct.pack("<Q", seed) + bytes(24)
    halves: list[int] = []
    for counter in range(count // 4 + 1):
        halves += chacha20_block(key, counter, step)
    words = [low | high << 32 for low, high in zip(halves[::2], halves[1::2])]
    values: list[bytes] = []
    for a, b in zip(words[::2], words[1::2]):
        u, v = ((a >> 11) + 1) / 2**53, (b >> 11) / 2**53
        radius = math.sqrt(-2 * math.log(u))
        values += [struct.pack(">f", radius * f(math.tau * v)) for f in (math.cos, math.sin)]
    return values[:count]


def main() -> None:
    cases = [
        {"seed": str(seed), "step": str(step), "bits": [value.hex() for value in normals(seed, step, COUNT)]}
        for seed, step in CASES
    ]
    lines = ",\n".join(json.dumps(case, separators=(",", ":")) for case in cases)
    Path(__file__).with_name("noise.json").write_text(f"[\n{lines}\n]\n")


if __name__ == "__main__":
    main()
