"""Compiling the switched tree once, and running tests with one switch on."""

import hashlib
import json
import os
import shutil
import subprocess

from .compiler import ROOT, TREE, WORK, fail
from .switches import MAGIC

# Tests of code as it is deployed, without the optimizer: it is larger than a chain takes, and a hundred thousand draws are out of gas.
NOT_RUN = ("everyContractFits", "selectedVotesFollowWeight")
TIMEOUT = 300


def environment(fuzz_runs, without):
    return {
        **os.environ,
        "PATH": f"{ROOT}/node_modules/.foundry:{os.environ['PATH']}",
        "FOUNDRY_DISABLE_NIGHTLY_WARNING": "1",
        "FOUNDRY_OPTIMIZER": "false",
        "FOUNDRY_DENY": "never",
        "FOUNDRY_FUZZ_RUNS": str(fuzz_runs),
        # The same inputs for each mutant and in each run.
        "FOUNDRY_FUZZ_SEED": "0x1",
        "NOT_RUN": "|".join([*NOT_RUN, *without]),
    }


def forge_test(env, which):
    """Runs these tests: {contract.test: why it fails, None if it passes}."""
    for left in ("fuzz", "invariant", "test-failures"):
        shutil.rmtree(TREE / "cache" / left, ignore_errors=True)
    (TREE / "cache" / "test-failures").unlink(missing_ok=True)
    command = ["forge", "test", "--json", "--no-match-test", env["NOT_RUN"], *which]
    try:
        done = subprocess.run(command, cwd=TREE, env=env, capture_output=True, text=True, timeout=TIMEOUT)
        suites = json.loads(done.stdout)
    except subprocess.TimeoutExpired:
        return {"timeout": f"after {TIMEOUT} seconds"}
    except json.JSONDecodeError:
        fail(f"forge test ended with {done.returncode}:\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")
    results = {}
    for suite, of in suites.items():
        for signature, result in of["test_results"].items():
            name = f"{suite.split(':')[1]}.{signature.split('(')[0]}"
            results[name] = None if result["status"] == "Success" else result["reason"] or result["status"]
    return results


class Artefacts:
    """What was compiled, with the switch's bytes to be replaced."""

    def __init__(self):
        self.templates = {}
        for path in (WORK / "switched").rglob("*.json"):
            self.templates[TREE / "out" / path.relative_to(WORK / "switched")] = path.read_text()

    def set(self, number):
        for path, text in self.templates.items():
            path.write_text(text.replace(MAGIC, f"{number:064x}"))


def build(env):
    """Compiles the tree, unless it is as it was."""
    digest = hashlib.sha256()
    for path in sorted([*(TREE / "contracts").rglob("*.sol"), *(TREE / "test").rglob("*.sol"), TREE / "foundry.toml"]):
        digest.update(f"{path.relative_to(TREE)}\n".encode() + path.read_bytes())
    stamp = WORK / "built"
    if stamp.is_file() and stamp.read_text() == digest.hexdigest():
        return
    stamp.unlink(missing_ok=True)
    print("compiling", flush=True)
    for path in (TREE / "out", TREE / "cache", WORK / "switched"):
        shutil.rmtree(path, ignore_errors=True)
    done = subprocess.run(["forge", "build", "contracts", "test/unit"], cwd=TREE, env=env, capture_output=True, text=True)
    if done.returncode != 0:
        fail(f"forge build failed:\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}")
    for path in (TREE / "out").rglob("*.json"):
        text = path.read_text()
        if MAGIC in text and "build-info" not in path.parts:
            copy = WORK / "switched" / path.relative_to(TREE / "out")
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_text(text)
    stamp.write_text(digest.hexdigest())
