#!/usr/bin/env python3
"""Writes the PDFs by which retrieval is measured: `make.py OUT_FOLDER`.

In: content/*.txt (hand-written documents) and families.py, records.py (documents that share a text, or are tables of records).
Out: one PDF per document in OUT_FOLDER; the same bytes every time. It deletes nothing.
"""

import sys
from pathlib import Path

import families
import layout
import records

HERE = Path(__file__).parent


def documents():
    """Every document as name -> marked-up text."""
    found = {path.stem: path.read_text(encoding="utf-8") for path in sorted((HERE / "content").glob("*.txt"))}
    for name, text in [*families.documents(HERE / "content" / "families"), *records.documents()]:
        if name in found:
            raise SystemExit(f"two documents are called {name}")
        found[name] = text
    return found


def main():
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in sorted(documents().items()):
        layout.write(folder / f"{name}.pdf", text)


if __name__ == "__main__":
    main()
