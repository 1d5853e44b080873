"""What has to be said, and what is missing or wrong."""

import re

from documentation.tree import raised, tags, walk


class Findings:
    def __init__(self, code):
        self.code = code
        self.wrong = []
        # What --fix writes: (path, definition, tag, words).
        self.lists = []

    def say(self, node, words):
        home = self.code.home.get(node["id"])
        name = f"{home['name']}.{node['name']}" if home else node.get("name", "")
        self.wrong.append((self.code.path[node["id"]], f"{name}: {words}"))

    def compare(self, node, tag, expected):
        """Says so if a computed list is not what is written."""
        if ", ".join(tags(node).get(tag, [])) != expected:
            self.say(node, f"`@{tag}` should be: {expected or 'nothing'} (tools/natspec --fix writes it)")
            self.lists.append((self.code.path[node["id"]], node, tag, expected))


def check(code):
    """All findings."""
    found = Findings(code)
    used = {node.get("referencedDeclaration") for d in code.contracts if not code.is_interface(d) for node in walk(d)}
    for node in code.definitions:
        if node["nodeType"] in ("ErrorDefinition", "EventDefinition"):
            said_of_error_or_event(code, node, found)
            if node["id"] not in used:
                found.say(node, "no contract uses it")
        if node["nodeType"] in ("StructDefinition", "EnumDefinition") and in_interface(code, node) and not tags(node).get("notice"):
            found.say(node, "has no notice")
        if nameless(code, node):
            found.say(node, "ends without an error of its own")
    for contract in code.contracts:
        if code.is_interface(contract):
            interface(code, contract, found)
        elif contract["contractKind"] != "library":
            for part in contract["nodes"]:
                declared(part, found)
    return found


def in_interface(code, node):
    home = code.home.get(node["id"])
    return code.is_interface(home) if home else "/interfaces/" in code.path[node["id"]]


def terms(code, node):
    """What the interface around a definition says for all that is in it."""
    home = code.home.get(node["id"])
    return quoted(" ".join(words for said in tags(home).values() for words in said)) if home else set()


def quoted(text):
    """The words in backticks, and the parts of what is more than a word."""
    return {word for words in re.findall(r"`([^`]+)`", text) for word in re.findall(r"\w+", words)}


def tagged(node, tag):
    return {words.split(" ")[0] for words in tags(node).get(tag, []) if words}


def said_of_error_or_event(code, node, found):
    """It says when it comes, and what it carries: by a tag, in the notice, or as a term of the interface."""
    said = tags(node)
    if not said.get("notice"):
        found.say(node, "says nothing of when it comes")
    known = terms(code, node) | tagged(node, "param") | quoted(" ".join(said.get("notice", []) + said.get("dev", [])))
    for parameter in node["parameters"]["parameters"]:
        if not parameter["name"]:
            found.say(node, "has an argument without a name")
        elif parameter["name"] not in known:
            found.say(node, f"says nothing of `{parameter['name']}`")


def nameless(code, node):
    """Whether a call or a piece of assembly reverts with no error that is declared."""
    if node["nodeType"] == "InlineAssembly":
        return any(n["nodeType"] == "YulFunctionCall" and n["functionName"]["name"] in ("revert", "invalid") for n in walk(node["AST"]))
    if node["nodeType"] != "FunctionCall" or node["expression"].get("name") not in ("require", "revert", "assert"):
        return False
    return not any(code.is_error(e) for e in raised(node))


def declared(part, found):
    """What can be called is in an interface; a public constant or variable may say itself what it is."""
    if part["nodeType"] not in ("FunctionDefinition", "VariableDeclaration") or part.get("visibility") not in ("external", "public"):
        return
    if part.get("kind") in ("constructor", "receive", "fallback"):
        return
    said = tags(part)
    if part.get("baseFunctions"):
        if "inheritdoc" not in said and not said.get("notice"):
            found.say(part, "neither inherits what it overrides says, nor says it")
    elif part["nodeType"] == "FunctionDefinition":
        found.say(part, "is in no interface")
    elif not said.get("notice"):
        found.say(part, "is public and has no notice")


def interface(code, contract, found):
    if not tags(contract).get("title"):
        found.say(contract, "has no title")
    own = {part["id"] for base in contract["linearizedBaseContracts"] for part in code.node[base]["nodes"]}
    for function in code.functions(contract):
        documented(code, function, found)
        if not code.bodies(contract, function):
            found.say(function, "no contract implements it")
        found.compare(function, "custom:reverts", code.list(contract, function))
        errors = [code.node[e] for e in code.errors(contract, function).errors]
        for error in errors:
            if code.is_ours(error) and error["id"] not in own:
                found.say(function, f"ends with {error['name']}, which the interface does not declare")
        if any(e["name"] == "OwnableUnauthorizedAccount" for e in errors) and "owner" not in " ".join(tags(function).get("custom:caller", [])):
            found.say(function, "is the owner's, and does not say so (@custom:caller)")
    found.compare(contract, "custom:reverts-packages", code.list_of_packages(contract))


def documented(code, function, found):
    """What a function does, for whom, and with what. Of a verb every argument and result has its tag; of a view the terms of the interface and
    the notice count as well, since most have no more to say."""
    said = tags(function)
    if not said.get("notice"):
        found.say(function, "has no notice")
    verb = function["stateMutability"] not in ("view", "pure")
    if verb and not said.get("custom:caller"):
        found.say(function, "does not say who may call it (@custom:caller)")
    known = set() if verb else terms(code, function) | quoted(" ".join(said.get("notice", []) + said.get("dev", [])))
    for tag, parts in (("param", function["parameters"]), ("return", function["returnParameters"])):
        for parameter in parts["parameters"]:
            name = parameter["name"]
            if name and name not in known | tagged(function, tag):
                found.say(function, f"says nothing of `{name}`" + (f" (@{tag})" if verb else ""))
            if not name and tag == "param":
                found.say(function, "has an argument without a name")
            if not name and tag == "return" and verb and not said.get("return"):
                found.say(function, "says nothing of what it returns (@return)")
