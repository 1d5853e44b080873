"""Mutants behind switches, in a copy of the tree."""

import shutil

from .compiler import ROOT, TREE, errors_of, fail, solc

# Stands for "none" until it is replaced by a mutant's number.
MAGIC = "5ca1ab1e" * 8
# Not unit tests; and a verifier of pairings that is not mutated and does not compile without the optimizer.
NOT_COPIED = (
    *("test/script", "test/gas", "test/invariant", "test/symbolic"),
    *("contracts/randomness/DrandRandomness.sol", "test/unit/disputes/Drand.t.sol"),
)


def render(text, mutants, start, end):
    """text[start:end] with its mutants behind switches. Also where each switched piece lies in the result: [(from, to, mutants)]."""
    inside = [m for m in mutants if start <= m.start and m.end <= end]
    out, pieces, at = b"", [], start
    while at < end:
        here = [m for m in inside if m.start >= at]
        if not here:
            out += text[at:end]
            break
        first = min(m.start for m in here)
        last = max(m.end for m in here if m.start == first)
        group = [m for m in here if (m.start, m.end) == (first, last)]
        rest = [m for m in inside if first <= m.start and m.end <= last and m not in group]
        out += text[at:first]
        inner, inner_pieces = render(text, rest, first, last)
        if group[0].statement:
            head = b"{ " + b"".join(b"if (MUTANT == %d) { %s } else " % (m.number, m.new.encode()) for m in group) + b"{ "
            tail = b" } }"
        else:
            head = b"(" + b"".join(b"MUTANT == %d ? (%s) : " % (m.number, m.new.encode()) for m in group) + b"("
            tail = b"))"
        base = len(out)
        pieces += [(a + base + len(head), b + base + len(head), g) for a, b, g in inner_pieces]
        out += head + inner + tail
        pieces.append((base, len(out), group))
        at = last
    return out, pieces


def switched(file, mutants):
    """The source of a file with all its mutants, and where each lies in it."""
    text = (ROOT / file).read_bytes()
    marks = []
    for m in [m for m in mutants if m.kind == "modifier"]:
        # Other text of the same length, so that nothing moves; the check follows as the first statement.
        text = text[: m.start] + b" " * (m.end - m.start) + text[m.end :]
        marks.append((m.at, b" if (MUTANT != %d) %s; " % (m.number, m.check.encode())))
    out, pieces = render(text, [m for m in mutants if m.kind != "modifier"], 0, len(text))
    for at, check in sorted(marks, reverse=True):
        # Where that is after rendering: behind the same number of function bodies. Rendered again up to there.
        before, _ = render(text, [m for m in mutants if m.kind != "modifier" and m.end <= at], 0, at)
        out = out[: len(before)] + check + out[len(before) :]
        pieces = [(a + len(check) * (a >= len(before)), b + len(check) * (b > len(before)), g) for a, b, g in pieces]
    up = "../" * (file.count("/") - 1) or "./"
    line = f'import {{MUTANT}} from "{up}Mutant.sol";\n'.encode()
    head = out.index(b";", out.index(b"pragma ")) + 2
    out = out[:head] + line + out[head:]
    return out, [(a + len(line), b + len(line), g) for a, b, g in pieces]


def copy_tree():
    TREE.mkdir(parents=True, exist_ok=True)
    for name in ("contracts", "test", "foundry.toml", "tools"):
        old, new = ROOT / name, TREE / name
        shutil.rmtree(new, ignore_errors=True)
        if old.is_dir():
            shutil.copytree(old, new)
        else:
            shutil.copy(old, new)
    for name in NOT_COPIED:
        if (TREE / name).is_dir():
            shutil.rmtree(TREE / name)
        else:
            (TREE / name).unlink(missing_ok=True)
    if not (TREE / "node_modules").exists():
        (TREE / "node_modules").symlink_to(ROOT / "node_modules")
    (TREE / "contracts" / "Mutant.sol").write_text(
        f"// SPDX-License-Identifier: MIT\npragma solidity 0.8.37;\n\nuint256 constant MUTANT = uint256(0x{MAGIC});\n"
    )


def errors_in_tree():
    # The tests too: better to hear of it now than when half is compiled.
    paths = [str(p.relative_to(TREE)) for of in ("contracts", "test/unit") for p in sorted((TREE / of).rglob("*.sol"))]
    return errors_of(solc(paths, TREE, {"*": {"": ["ast"]}}))


def write_switched(mutants):
    """The copy of the tree with these mutants behind switches. Returns why the compiler refuses which of them: {number: its message}."""
    copy_tree()
    places = {}
    for file in {m.file for m in mutants}:
        out, places[file] = switched(file, [m for m in mutants if m.file == file])
        (TREE / file).write_bytes(out)
    refused = {}
    for problem in errors_in_tree():
        where = problem["sourceLocation"]
        here = places.get(where["file"], [])
        around = [(b - a, g) for a, b, g in here if a <= where["start"] and where["end"] <= b]
        inside = [g for a, b, g in here if where["start"] <= a and b <= where["end"]]
        if not around and not inside:
            fail(problem["formattedMessage"])
        # The smallest that the fault lies in; if there is none, those in what is faulty.
        groups = [min(around, key=lambda x: x[0])[1]] if around else inside
        refused |= {m.number: problem["formattedMessage"] for g in groups for m in g}
    return refused


def prepare(mutants):
    """The same with those left out that do not compile. Returns those that are in it."""
    alive = list(mutants)
    while refused := write_switched(alive):
        print(f"  {len(refused)} do not compile: left out", flush=True)
        alive = [m for m in alive if m.number not in refused]
    return alive
