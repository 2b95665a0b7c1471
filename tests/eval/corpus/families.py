"""Documents that share a text and differ in its values: the hardest distractors there are.

In: content/families/*.txt with {{name}} gaps, and *.values.txt with what fills them for each document. Out: (name, marked-up text).
A values file is a list of `=== document-name` parts; each holds `@name` lines followed by the value, or `@name value`.
"""

import re


def values(text):
    """The parts of a values file: document name -> {gap: value}."""
    found = {}
    for part in re.split(r"^=== ", text, flags=re.M)[1:]:
        document, _, body = part.partition("\n")
        gaps = re.split(r"^@(\w+)[ \n]", body, flags=re.M)[1:]
        found[document.strip()] = {name: value.strip() for name, value in zip(gaps[::2], gaps[1::2], strict=True)}
    return found


def fill(template, gaps, document):
    """The template with every gap filled; a value that no gap asks for is a mistake too."""
    asked = set(re.findall(r"\{\{(\w+)\}\}", template))
    if asked != set(gaps):
        raise SystemExit(f"{document}: gaps and values differ: {sorted(asked ^ set(gaps))}")
    return re.sub(r"\{\{(\w+)\}\}", lambda gap: gaps[gap[1]], template)


def documents(folder):
    """Every document of every family."""
    for template in sorted(folder.glob("*.txt")):
        if template.name.endswith(".values.txt"):
            continue
        text = template.read_text(encoding="utf-8")
        for document, gaps in values(template.with_suffix(".values.txt").read_text(encoding="utf-8")).items():
            yield document, fill(text, gaps, document)
