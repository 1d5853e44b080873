"""Writes the lists that are computed."""

import re
import textwrap

WIDTH = 120


def fix(root, lists):
    """From the last of a file to the first, so that places stay true."""
    for path, node, tag, words in sorted(lists, key=lambda entry: -start(entry[1])):
        file = root / path
        source = file.read_bytes()
        at = start(node)
        length = int(node["documentation"]["src"].split(":")[1]) if node.get("documentation") else 0
        written = source[at : at + length].decode()
        comment = written.rstrip()
        indent = " " * (at - source.rfind(b"\n", 0, at) - 1)
        kept = re.sub(rf"\n?[ \t]*/// @{tag}\s[^\n]*(?:\n[ \t]*///(?! @)[^\n]*)*", "", comment).strip()
        lines = textwrap.wrap(f"@{tag} {words}", WIDTH - len(f"{indent}/// "), break_on_hyphens=False) if words else []
        text = f"\n{indent}".join(([kept] if kept else []) + [f"/// {line}" for line in lines])
        rest = written[len(comment) :] if comment else f"\n{indent}"
        file.write_bytes(source[:at] + (text + rest).encode() + source[at + length :])


def start(node):
    return int((node.get("documentation") or node)["src"].split(":")[0])
