"""Where things are, and the compiler."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
WORK = ROOT / "vendor" / "mutants"
TREE = WORK / "tree"


def fail(message):
    sys.exit(f"mutants: {message}")


def remappings():
    text = (ROOT / "foundry.toml").read_text()
    return re.findall(r'^\s*"([^"=]+)=([^"]+)",?$', text, re.M)


def closure(paths, root):
    """The sources that these need, by the names that the compiler knows them by."""
    sources, todo = {}, list(paths)
    while todo:
        name = todo.pop()
        if name in sources:
            continue
        text = (root / name).read_text()
        sources[name] = {"content": text}
        for found in re.findall(r'(?:\bfrom\s+|\bimport\s+)"([^"]+)"', text):
            if found.startswith("."):
                todo.append(os.path.normpath(os.path.join(os.path.dirname(name), found)))
                continue
            for prefix, target in remappings():
                if found.startswith(prefix):
                    todo.append(target + found[len(prefix) :])
                    break
            else:
                todo.append(found)
    return sources


def solc(paths, root, selection):
    # Under the names that imports resolve to, not those that they are written with.
    settings = {"evmVersion": "shanghai", "remappings": [f"{a}={b}" for a, b in remappings()], "outputSelection": selection}
    request = {"language": "Solidity", "sources": closure(paths, root), "settings": settings}
    done = subprocess.run(["./tools/solc"], cwd=ROOT, input=json.dumps(request), capture_output=True, text=True)
    if done.returncode != 0:
        fail(done.stderr)
    return json.loads(done.stdout)


def errors_of(output):
    return [e for e in output.get("errors", []) if e["severity"] == "error"]


def trees(paths, root=ROOT):
    """The syntax trees of these sources and of all that they need."""
    output = solc(paths, root, {"*": {"": ["ast"]}})
    for error in errors_of(output):
        fail(error["formattedMessage"])
    return {name: source["ast"] for name, source in output["sources"].items()}
