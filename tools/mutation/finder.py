"""The mutants of a source file, found in its syntax tree."""

import hashlib
import re

from .compiler import ROOT, trees
from .mutant import Mutant, can_be_left_out, modifier_left_out, span, squeeze

# Whose mutants, and in which files: the contract, what it inherits, and the libraries that it uses. Each file counts once, where it is named first.
CONTRACTS = ("Staking", "Payments", "Disputes")

OPERATORS = {
    "+": ["-"], "-": ["+"], "*": ["/"], "/": ["*"], "%": ["*"], "<<": [">>"], ">>": ["<<"], "|": ["&"], "&": ["|"], "^": ["|"],
    "<": ["<=", ">="], ">": [">=", "<="], "<=": ["<", ">"], ">=": [">", "<"], "==": ["!="], "!=": ["=="], "&&": ["||"], "||": ["&&"],
}  # fmt: skip
ASSIGNMENTS = {"+=": ["-=", "="], "-=": ["+=", "="], "*=": ["/=", "="], "/=": ["*=", "="], "|=": ["&=", "="], "&=": ["|=", "="]}
CALLS = {"min": "max", "mulDown": "mulUp", "toSharesDown": "toSharesUp", "toAssetsDown": "toAssetsUp"}
CALLS.update({new: old for old, new in CALLS.items()})


def is_constant(node):
    return node.get("typeDescriptions", {}).get("typeString", "").startswith(("int_const", "rational_const"))


class Finder:
    """Walks the syntax tree of one file and lists its mutants."""

    def __init__(self, file, text, tree):
        self.file, self.text, self.found = file, text, []
        self.scope = None
        self.fixed = set()
        self.find_fixed(tree)
        self.walk(tree, None)

    def find_fixed(self, node):
        """Constants that size an array or stand in assembly must stay literals."""
        if isinstance(node, list):
            for child in node:
                self.find_fixed(child)
        elif isinstance(node, dict):
            if node.get("nodeType") == "ArrayTypeName" and node.get("length"):
                self.fixed.add(node["length"].get("referencedDeclaration"))
            if node.get("nodeType") == "InlineAssembly":
                self.fixed |= {r["declaration"] for r in node["externalReferences"]}
            for child in node.values():
                self.find_fixed(child)

    def source(self, node):
        start, end = span(node)
        return self.text[start:end].decode()

    def expression(self, node, kind, new):
        start, end = span(node)
        self.add(Mutant(self.file, self.text, start, end, kind, new, statement=False))

    def statement(self, node, kind, new):
        start, end = span(node)
        # Its semicolon, which only a plain `return;` contains.
        if self.text[end - 1 : end] != b";":
            end = self.text.index(b";", end) + 1
        self.add(Mutant(self.file, self.text, start, end, kind, new, statement=True))

    def add(self, mutant):
        # Told again in a later run by the function that it is in: what is changed elsewhere does not matter.
        begin, end = span(self.scope) if self.scope else (0, 0)
        digest = hashlib.sha256(self.text[begin:end]).hexdigest()[:16]
        place = f"{mutant.start - begin}:{mutant.end - begin}"
        mutant.key = f"{self.file}:{(self.scope or {}).get('name', '')}@{digest}:{place}:{mutant.kind}:{squeeze(mutant.new)}"
        self.found.append(mutant)

    def walk(self, node, parent):
        if isinstance(node, list):
            for child in node:
                self.walk(child, parent)
            return
        if not isinstance(node, dict) or "nodeType" not in node:
            return
        kind = node["nodeType"]
        if kind in ("InlineAssembly", "ArrayTypeName", "Mapping", "ModifierInvocation", "OverrideSpecifier", "EventDefinition"):
            return
        if kind == "VariableDeclaration" and node["id"] in self.fixed:
            return
        if kind == "ContractDefinition":
            for child in node["nodes"]:
                self.scope = child
                self.walk(child, node)
            return
        if kind == "FunctionDefinition":
            self.modifiers(node)
        if kind == "ForStatement":
            # Its header is no place for a block.
            self.walk(node.get("condition"), node)
            self.walk(node["body"], node)
            return
        if kind == "TryStatement":
            self.walk(node["externalCall"]["arguments"], node)
            self.walk(node["clauses"], node)
            return
        handler = getattr(self, "on" + kind, None)
        if handler and handler(node, parent) is False:
            return
        for child in node.values():
            self.walk(child, node)

    # What is done to each kind of node. False: nothing inside it.

    def onBinaryOperation(self, node, parent):
        if is_constant(node):
            return self.constant(node, parent)
        left, right, operator = node["leftExpression"], node["rightExpression"], node["operator"]
        for other in OPERATORS.get(operator, []):
            new = f"{self.source(left)} {other} {self.source(right)}"
            if other == "&&":
                # It binds closer than what stood there.
                new = f"({self.source(left)}) && ({self.source(right)})"
            self.expression(node, "operator", new)
        if operator in ("&&", "||"):
            self.expression(node, "operand", self.source(left))
            self.expression(node, "operand", self.source(right))
        # Shifted by or raised to a number: the type of a literal there says how wide the result is.
        if operator in ("<<", ">>", "**") and is_constant(left):
            self.walk(right, node)
            return False

    def onLiteral(self, node, parent):
        if node["kind"] == "bool":
            self.expression(node, "constant", "false" if node["value"] == "true" else "true")
        elif node["kind"] == "number":
            self.constant(node, parent)

    def constant(self, node, parent):
        """A literal, or literals calculated with, as one number."""
        if parent is not None and parent.get("kind") == "typeConversion":
            return False
        text = self.source(node)
        plain = re.fullmatch(r"\d{1,3}", text)
        if plain:
            value = int(text)
            self.expression(node, "constant", str(value + 1))
            if value > 0:
                self.expression(node, "constant", str(value - 1))
        else:
            self.expression(node, "constant", f"2 * ({text})")
            self.expression(node, "constant", f"({text}) / 2")
        return False

    def onUnaryOperation(self, node, parent):
        if is_constant(node):
            return self.constant(node, parent)
        if node["operator"] == "!":
            self.expression(node, "negation", self.source(node["subExpression"]))

    def onConditional(self, node, parent):
        c, a, b = node["condition"], node["trueExpression"], node["falseExpression"]
        self.expression(node, "conditional", f"{self.source(c)} ? {self.source(b)} : {self.source(a)}")

    def onIfStatement(self, node, parent):
        if node["condition"]["nodeType"] not in ("BinaryOperation", "UnaryOperation"):
            self.expression(node["condition"], "condition", f"!({self.source(node['condition'])})")

    def onFunctionCall(self, node, parent):
        called, arguments = node["expression"], node["arguments"]
        name = called.get("memberName") or called.get("name")
        start, end = span(node)
        if name in CALLS and called["nodeType"] == "MemberAccess":
            at, length, _ = (int(x) for x in called["memberLocation"].split(":"))
            new = self.text[start:at] + CALLS[name].encode() + self.text[at + length : end]
            self.expression(node, "call", new.decode())
        if node["kind"] != "functionCall" or name in ("min", "max") or node.get("names"):
            return
        for first, second in zip(arguments, arguments[1:]):
            one, other = self.source(first), self.source(second)
            if one == other or first["typeDescriptions"] != second["typeDescriptions"]:
                continue
            (a, b), (c, d) = span(first), span(second)
            new = self.text[start:a] + other.encode() + self.text[b:c] + one.encode() + self.text[d:end]
            if parent and parent["nodeType"] in ("EmitStatement", "RevertStatement", "ExpressionStatement"):
                word = {"EmitStatement": "emit ", "RevertStatement": "revert "}.get(parent["nodeType"], "")
                self.statement(parent, "arguments", word + new.decode() + ";")
            else:
                self.expression(node, "arguments", new.decode())
            break

    def onExpressionStatement(self, node, parent):
        inner = node["expression"]
        # A pointer into storage that points nowhere is no mutant: the compiler refuses it.
        if "storage pointer" in inner.get("leftHandSide", {}).get("typeDescriptions", {}).get("typeString", ""):
            return
        self.statement(node, "removed", "")
        if inner["nodeType"] == "Assignment" and inner["operator"] in ASSIGNMENTS:
            for other in ASSIGNMENTS[inner["operator"]]:
                new = f"{self.source(inner['leftHandSide'])} {other} {self.source(inner['rightHandSide'])};"
                self.statement(node, "assignment", new)

    def onEmitStatement(self, node, parent):
        self.statement(node, "removed", "")

    def onRevertStatement(self, node, parent):
        self.statement(node, "removed", "")

    def onReturn(self, node, parent):
        if parent is not None and parent["nodeType"] == "IfStatement":
            self.statement(node, "removed", "")

    def onContinue(self, node, parent):
        self.statement(node, "removed", "")

    onBreak = onContinue

    def modifiers(self, node):
        for modifier in node.get("modifiers", []):
            if can_be_left_out(modifier, node):
                self.add(modifier_left_out(self.file, self.text, modifier, node))


def find():
    """Every mutant of every contract's files: {contract: [Mutant]}."""
    everything = [c for c in CONTRACTS if (ROOT / "contracts" / f"{c}.sol").is_file()]
    tree_of = trees([f"contracts/{c}.sol" for c in everything])
    taken, mutants = set(), {}
    for contract in everything:
        todo, files = [f"contracts/{contract}.sol"], []
        while todo:
            file = todo.pop(0)
            if file in taken or not file.startswith("contracts/") or file.startswith("contracts/interfaces/"):
                continue
            others = {f"contracts/{c}.sol" for c in CONTRACTS} - {f"contracts/{contract}.sol"}
            if file in others or file == "contracts/CAI.sol":
                continue
            taken.add(file)
            files.append(file)
            todo += [n["absolutePath"] for n in tree_of[file]["nodes"] if n["nodeType"] == "ImportDirective"]
        mutants[contract] = []
        for file in files:
            text = (ROOT / file).read_bytes()
            mutants[contract] += Finder(file, text, tree_of[file]).found
    number = 0
    for contract in everything:
        for m in mutants[contract]:
            number += 1
            m.number = number
    return mutants
