"""A change of one place in a source file."""

import re

# What a modifier does, so that it can be left out.
MODIFIERS = {"onlyOwner": "_checkOwner()"}


class Mutant:
    def __init__(self, file, text, start, end, kind, new, statement):
        self.file, self.start, self.end, self.kind, self.new, self.statement = file, start, end, kind, new, statement
        self.line = text[:start].count(b"\n") + 1
        self.what = f"{squeeze(text[start:end].decode())}  ->  {squeeze(new) or '(removed)'}"
        # The switch that it is behind, and what tells it again in a later run.
        self.number, self.key = 0, ""


def can_be_left_out(modifier, function):
    return modifier["modifierName"]["name"] in MODIFIERS and function.get("body")


def modifier_left_out(file, text, modifier, function):
    mutant = Mutant(file, text, *span(modifier), "modifier", "", statement=False)
    # Its check, which becomes the body's first statement.
    mutant.check, mutant.at = MODIFIERS[modifier["modifierName"]["name"]], span(function["body"])[0] + 1
    return mutant


def span(node):
    start, length, _ = (int(x) for x in node["src"].split(":"))
    return start, start + length


def squeeze(text):
    return re.sub(r"\s+", " ", text).strip()
