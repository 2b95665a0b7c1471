#!/usr/bin/env python3
"""Holds questions.json against the PDFs: `check.py [--pages] OUT_FOLDER`.

In: the folder that make.py filled. Out: one line per mistake and a non-zero end, or a table of counts.
With --pages it first writes into questions.json on which pages each `must` phrase stands; it changes nothing else there.
"""

import json
import re
import sys
from collections import Counter, defaultdict
from pathlib import Path

from pypdf import PdfReader

import make

QUESTIONS = Path(__file__).parent / "questions.json"
LEAST = {"exact": 45, "paraphrase": 50, "follow_up": 25, "two_documents": 20, "unanswerable": 40}
LEAST_DOCUMENTS, LEAST_PAGES, LEAST_QUESTIONS = 24, 200, 180
FIELDS = {"id", "kind", "language", "text", "answers", "split"}


def plain(text):
    """Text in the form in which it is compared: words joined that were hyphenated, no hyphens, single spaces, small letters."""
    return " ".join(re.sub(r"[-\u00ad\u2010\u2011]\s*", "", text).split()).lower()


def read(folder):
    """Every document as name -> list of its pages' text."""
    return {path.name: [plain(page.extract_text()) for page in PdfReader(path).pages] for path in sorted(folder.glob("*.pdf"))}


def places(pages, must):
    """Where a phrase stands: document -> page numbers from 1."""
    found, phrase = defaultdict(list), plain(must)
    for document, texts in pages.items():
        for number, text in enumerate(texts, 1):
            if re.search(rf"(?<!\w){re.escape(phrase)}(?!\w)", text):
                found[document].append(number)
    return found


def mistakes(questions, pages):
    """Every mistake in the questions, in words."""
    for name in make.documents():
        if f"{name}.pdf" not in pages:
            yield f"{name}.pdf is missing"
    for what, have, least in (("documents", len(pages), LEAST_DOCUMENTS), ("pages", sum(map(len, pages.values())), LEAST_PAGES),
                              ("questions", len(questions), LEAST_QUESTIONS),
                              *((kind, sum(q["kind"] == kind for q in questions), least) for kind, least in LEAST.items())):
        if have < least:
            yield f"{have} {what}, but {least} are asked for"
    for name, count in Counter(q["id"] for q in questions).items():
        if count > 1:
            yield f"{name}: the id stands {count} times"
    for text, count in Counter((q["text"], json.dumps(q.get("history"))) for q in questions).items():
        if count > 1:
            yield f"the same question stands {count} times: {text[0]}"
    for field in ("kind", "language"):
        for value in sorted({q[field] for q in questions}):
            for split in ("dev", "test"):
                if not any(q[field] == value and q["split"] == split for q in questions):
                    yield f"no question of {field} {value} in {split}"
    splits = defaultdict(set)
    for question in questions:
        yield from (f"{question['id']}: {words}" for words in mistakes_of(question, pages))
        for answer in question["answers"]:
            splits[answer["must"]].add(question["split"])
    yield from (f"in both splits: {must}" for must, found in splits.items() if len(found) > 1)


def mistakes_of(question, pages):
    """The mistakes of one question."""
    kind, answers, history = question["kind"], question["answers"], question.get("history")
    if set(question) - {"history"} != FIELDS:
        yield f"fields are {sorted(question)}"
    if kind not in LEAST or question["split"] not in ("dev", "test"):
        yield "unknown kind or split"
    if (kind == "follow_up") != bool(history):
        yield "a history belongs to a follow-up, and only to that"
    if history and [turn["role"] for turn in history] != ["user", "assistant"] * (len(history) // 2):
        yield "a history is user, assistant, in turn"
    documents = {answer["document"] for answer in answers}
    if {"unanswerable": len(answers) != 0, "two_documents": len(documents) < 2}.get(kind, len(documents) != 1):
        yield f"{len(documents)} documents answer it, which does not fit {kind}"
    for answer in answers:
        found = dict(places(pages, answer["must"]))
        if found != {answer["document"]: answer["pages"]}:
            yield f"{answer['must']!r} stands on {found}, not on {answer['document']} {answer['pages']}"


def main():
    arguments = [word for word in sys.argv[1:] if word != "--pages"]
    if len(arguments) != 1:
        raise SystemExit(__doc__)
    pages, questions = read(Path(arguments[0])), json.loads(QUESTIONS.read_text(encoding="utf-8"))
    if "--pages" in sys.argv:
        for question in questions:
            for answer in question["answers"]:
                answer["pages"] = places(pages, answer["must"]).get(answer["document"], [])
        QUESTIONS.write_text(json.dumps(questions, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    wrong = list(mistakes(questions, pages))
    for line in wrong:
        print(line)
    if wrong:
        raise SystemExit(f"{len(wrong)} mistakes")
    print(f"{len(pages)} documents, {sum(map(len, pages.values()))} pages, {len(questions)} questions\n\n| kind | dev | test | together |\n|---|---|---|---|")
    for field in ("kind", "language"):
        for value, count in Counter(q[field] for q in questions).items():
            dev = sum(q[field] == value and q["split"] == "dev" for q in questions)
            print(f"| {value} | {dev} | {count - dev} | {count} |")


if __name__ == "__main__":
    main()
