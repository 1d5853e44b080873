"""What the compiler's syntax trees say: definitions, their comments, and the errors that a function can end with."""

import re

OURS = "contracts/"
# Errors of packages that callers meet in normal use: those of access and of the token.
USUAL = re.compile(r"OwnableUnauthorizedAccount|ERC20\w+")


def walk(node):
    """Every node of a syntax tree, the node itself first."""
    if isinstance(node, list):
        for part in node:
            yield from walk(part)
    elif isinstance(node, dict):
        if "nodeType" in node:
            yield node
        for part in node.values():
            if isinstance(part, (dict, list)):
                yield from walk(part)


def tags(node):
    """What a definition's comment says, by tag; of a tag that is there several times all of it."""
    documentation = node.get("documentation") or {}
    text = documentation.get("text", "") if isinstance(documentation, dict) else documentation
    if "@" not in text and text.strip():
        text = f"@notice {text}"
    said = {}
    # A tag begins a line, for the compiler too.
    for tag, words in re.findall(r"^\s*@([a-z]+(?::[a-z-]+)?)(.*?)(?=^\s*@|\Z)", text, re.S | re.M):
        said.setdefault(tag, []).append(" ".join(words.split()))
    return said


def listed(names):
    return ", ".join(sorted(names))


class Reached:
    """What a function's code can end with: errors by id, and functions of other contracts that are called and whose errors are not caught."""

    def __init__(self):
        self.errors, self.others = set(), set()


class Code:
    """All definitions, by id."""

    def __init__(self, sources):
        self.path, self.node, self.home = {}, {}, {}
        for path, tree in sources.items():
            for node in walk(tree):
                if "id" in node:
                    self.node[node["id"]], self.path[node["id"]] = node, path
                if node["nodeType"] == "ContractDefinition":
                    self.home.update((part["id"], node) for part in node["nodes"])
        self.definitions = [n for n in self.node.values() if self.is_ours(n)]
        self.contracts = [n for n in self.definitions if n["nodeType"] == "ContractDefinition"]
        self.reached = {}

    def is_ours(self, node):
        return self.path[node["id"]].startswith(OURS)

    def is_interface(self, contract):
        return contract["contractKind"] == "interface"

    def functions(self, contract):
        return [n for n in contract["nodes"] if n["nodeType"] == "FunctionDefinition" and n["kind"] == "function"]

    # ---- who implements what

    def bodies(self, interface, function):
        """(contract, definition) of each deployed contract that has this function. The contracts are those that inherit the interface; if there are
        none (the token is all of packages), those that have every function of it."""
        concrete = [c for c in self.contracts if c["contractKind"] == "contract" and not c.get("abstract")]
        chosen = [c for c in concrete if interface["id"] in c["linearizedBaseContracts"]]
        if not chosen:
            wanted = {f["functionSelector"] for f in self.functions(interface)}
            chosen = [c for c in concrete if wanted <= self.callable(c).keys()]
        found = [(c, self.callable(c).get(function["functionSelector"])) for c in chosen]
        return [(c, body) for c, body in found if body]

    def callable(self, contract):
        """What stands for each selector of a contract."""
        found = {}
        for base in (self.node[i] for i in contract["linearizedBaseContracts"]):
            for part in base["nodes"] if not self.is_interface(base) else []:
                if "functionSelector" in part:
                    found.setdefault(part["functionSelector"], part)
        return found

    def overrides(self, contract):
        """The function that stands for each one that it overrides, in a deployed contract."""
        found = {}
        for base in contract["linearizedBaseContracts"]:
            for function in (n for n in self.node[base]["nodes"] if "baseFunctions" in n):
                todo = list(function["baseFunctions"])
                while todo:
                    overridden = todo.pop()
                    found.setdefault(overridden, function["id"])
                    todo += self.node[overridden].get("baseFunctions", [])
        return found

    # ---- what can be reached

    def reach(self, contract, function):
        """What a function of a deployed contract can end with, through internal calls, modifiers and libraries."""
        key = (contract["id"], function["id"])
        if key not in self.reached:
            self.reached[key] = reached = Reached()
            overrides, seen, todo = self.overrides(contract), set(), [function["id"]]
            while todo:
                at = todo.pop()
                if at not in seen:
                    seen.add(at)
                    self.look(self.node[at], overrides, todo, reached)
        return self.reached[key]

    def look(self, function, overrides, todo, reached):
        """Adds what one function's own code reaches."""
        caught = {id(n["externalCall"]["expression"]) for n in walk(function) if n["nodeType"] == "TryStatement" and catches_all(n)}
        for node in walk(function):
            reached.errors |= {e for e in raised(node) if self.is_error(e)}
            if node["nodeType"] == "ModifierInvocation":
                modifier = node["modifierName"]["referencedDeclaration"]
                todo.append(overrides.get(modifier, modifier))
            if node["nodeType"] not in ("Identifier", "MemberAccess"):
                continue
            target = self.node.get(node.get("referencedDeclaration") or 0)
            if not target or target["nodeType"] != "FunctionDefinition":
                continue
            of = node.get("expression", {}).get("typeDescriptions", {}).get("typeIdentifier", "")
            if of.startswith("t_contract"):
                if id(node) not in caught:
                    reached.others.add(target["id"])
            elif node["nodeType"] == "Identifier":
                todo.append(overrides.get(target["id"], target["id"]))
            else:
                # Of a library, of `super` or of a base by its name: that one and no other.
                todo.append(target["id"])

    def is_error(self, at):
        return self.node.get(at or 0, {}).get("nodeType") == "ErrorDefinition"

    def is_usual(self, error):
        return self.is_ours(error) or USUAL.fullmatch(error["name"])

    def errors(self, interface, function):
        """The errors that a function of an interface can end with, in every contract that implements it."""
        found = Reached()
        for contract, body in self.bodies(interface, function):
            if body["nodeType"] == "FunctionDefinition":
                reached = self.reach(contract, body)
                found.errors |= reached.errors
                found.others |= reached.others
        return found

    def list(self, interface, function):
        """How a function of an interface has to list its errors; empty if there is nothing to list."""
        found = self.errors(interface, function)
        own = {self.node[e]["name"] for e in found.errors if self.is_usual(self.node[e])}
        handed = set()
        for other in found.others:
            home, called = self.home[other], self.node[other]
            if self.is_interface(home) and self.is_ours(home):
                fails = bool(self.list(home, called))
            else:
                fails = called["stateMutability"] not in ("view", "pure")
            if fails:
                handed.add(f"{home['name']}.{called['name']}")
        return ", ".join(filter(None, [listed(own), handed and f"those of {listed(handed)}"]))

    def list_of_packages(self, interface):
        """The same for what no caller should meet: errors of packages, of all functions of an interface together."""
        found = {e for f in self.functions(interface) for e in self.errors(interface, f).errors}
        return listed({self.node[e]["name"] for e in found if not self.is_usual(self.node[e])})


def raised(node):
    """Ids of what this one statement or call ends with."""
    if node["nodeType"] == "RevertStatement":
        return {node["errorCall"]["expression"].get("referencedDeclaration")}
    if node["nodeType"] == "FunctionCall" and node["expression"].get("name") == "require":
        return {part.get("referencedDeclaration") for part in walk(node["arguments"][1:])}
    return set()


def catches_all(statement):
    """Whether nothing that the called function ends with goes past this `try`."""
    return any(clause["errorName"] == "" for clause in statement["clauses"][1:])
