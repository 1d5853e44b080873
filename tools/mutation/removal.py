"""Each guard removed on its own, and the test that stands for it run: that must fail then, and pass with all guards."""

import re
from typing import NamedTuple

from .compiler import ROOT, fail, trees
from .mutant import Mutant, can_be_left_out, modifier_left_out, span
from .runs import Artefacts, build, forge_test
from .switches import write_switched

STATEMENTS = {"Block", "EmitStatement", "ExpressionStatement", "ForStatement", "IfStatement", "Return", "RevertStatement"}
EXPRESSIONS = {
    *("Assignment", "BinaryOperation", "Conditional", "FunctionCall", "Identifier", "IndexAccess", "Literal", "MemberAccess"),
    *("TupleExpression", "UnaryOperation"),
}


class Edit(NamedTuple):
    # "file:name": a file under contracts/, and what is called so in it, a function or a variable of a contract.
    at: str
    # As it stands there, and only once: an expression, a modifier, or a statement with its semicolon or braces.
    guard: str
    # Of the same kind; empty for a statement or a modifier that is removed.
    instead: str


class Guard:
    """What keeps out a failure that `test` plays through. Several edits are one guard: each alone would not let the failure in."""

    def __init__(self, test, why, *edits):
        # "contract.test"
        self.test, self.why, self.edits = test, why, edits


def check(guards, pattern, env):
    """Removes each guard and runs its test, of those tests whose names fit the pattern. True if none passes."""
    require_all_regressions(guards)
    guards = [g for g in guards if re.search(pattern, g.test)]
    if not guards:
        fail(f"no guard's test is called {pattern}")
    tree_of = trees(sorted({f"contracts/{e.at.split(':')[0]}" for g in guards for e in g.edits}))
    mutants = []
    for number, guard in enumerate(guards, 1):
        for edit in guard.edits:
            mutants.append(place(edit, tree_of))
            mutants[-1].number = number
    for number, message in write_switched(mutants).items():
        fail(f"{guards[number - 1].test}: does not compile without its guard\n{message}")
    build(env)
    artefacts = Artefacts()
    artefacts.set(0)
    tests = {g.test for g in guards}
    require_passing(tests, env)
    alive = 0
    for number, guard in enumerate(guards, 1):
        artefacts.set(number)
        contract, name = guard.test.split(".")
        results = forge_test(env, ["--match-contract", f"^{contract}$", "--match-test", f"^{name}\\("])
        if guard.test not in results:
            fail(f"{guard.test} did not run without its guard: {results}")
        reason = results[guard.test]
        alive += reason is None
        places = ", ".join(sorted({e.at for e in guard.edits}))
        print(f"{'fails' if reason else 'PASSES'}  {guard.test}: {guard.why} [{places}{': ' + reason if reason else ''}]", flush=True)
    print(f"{len(guards)} guards of {len(tests)} tests: {len(guards) - alive} fail without theirs, {alive} pass")
    return alive == 0


def require_all_regressions(guards):
    """All tests that are called regressions have a guard."""
    sources = "".join(p.read_text() for p in (ROOT / "test" / "unit").rglob("*.t.sol"))
    regressions = set(re.findall(r"function (test\w*_regression_\w+)", sources))
    for name in sorted(regressions - {g.test.split(".")[1] for g in guards}):
        fail(f"{name} has no guard in tools/guards")


def require_passing(tests, env):
    names = "|".join(sorted(t.split(".")[1] for t in tests))
    results = forge_test(env, ["--match-test", f"^({names})\\("])
    for test in sorted(tests):
        if test not in results:
            fail(f"{test} did not run: {results}")
        if results[test]:
            fail(f"{test} fails with all guards: {results[test]}")


def place(edit, tree_of):
    """The mutant that an edit is. Its text must stand there once, and be a whole expression, statement or modifier."""
    path, name = edit.at.split(":")
    file = f"contracts/{path}"
    text, wanted = (ROOT / file).read_bytes(), edit.guard.encode()
    members = [n for c in tree_of[file]["nodes"] if c["nodeType"] == "ContractDefinition" for n in c["nodes"]]
    members = [n for n in members if (n.get("name") or n.get("kind")) == name]
    found = [(m, at.start() + span(m)[0]) for m in members for at in re.finditer(re.escape(wanted), text[slice(*span(m))])]
    if len(found) != 1:
        fail(f"{edit.at}: {len(found)} times `{edit.guard}`, not once")
    member, start = found[0]
    end = start + len(wanted)
    for modifier in member.get("modifiers", []):
        if span(modifier) == (start, end) and can_be_left_out(modifier, member) and not edit.instead:
            return modifier_left_out(file, text, modifier, member)
    statement = wanted.endswith((b";", b"}"))
    # A statement's semicolon is no part of it for the compiler.
    kinds = {kind for a, b, kind in nodes(member) if a == start and (b == end or statement and text[b:end] == b";")}
    if not kinds & (STATEMENTS if statement else EXPRESSIONS):
        fail(f"{edit.at}: `{edit.guard}` is no expression, statement or modifier")
    return Mutant(file, text, start, end, "guard", edit.instead, statement)


def nodes(tree):
    """Start, end and kind of all in it."""
    if isinstance(tree, list):
        for child in tree:
            yield from nodes(child)
    elif isinstance(tree, dict):
        if "nodeType" in tree:
            yield *span(tree), tree["nodeType"]
        for child in tree.values():
            yield from nodes(child)
