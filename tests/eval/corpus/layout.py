"""Turns one marked-up text into one PDF.

In: the text of a document (front matter, then a small markup, see `blocks`). Out: a PDF, byte for byte the same every time.
It knows nothing about what a document says; it must not change words, only set them.

Front matter, `key: value` lines up to the first empty line: title, author, layout (report, paper, manual, letter, book, notes),
font (Helvetica, Times, Vera), size, page (A4, letter, A5), header, footer, lang, bookmarks (yes), contents (yes).
Markup: `# ` title, `## ` and `### ` headings (` {#key}` at the end names a target), `- ` bullet, `> ` small centred line,
`| a | b |` table rows (first row is the head), `!table ruled|plain|bands`, `!page` new page, `!gap`, and in the text
**bold**, *italic*, [words](address or #key), ^[a footnote].
"""

import re
from xml.sax.saxutils import escape

from reportlab import rl_config
from reportlab.lib import colors
from reportlab.lib.enums import TA_CENTER, TA_JUSTIFY
from reportlab.lib.pagesizes import A4, A5, letter
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.platypus import (BaseDocTemplate, Flowable, Frame, NextPageTemplate, PageBreak, PageTemplate, Paragraph,
                                Spacer, Table, TableStyle)
from reportlab.platypus.tableofcontents import TableOfContents

rl_config.invariant = 1  # no clock and no random id in the file

FONTS = {
    "Helvetica": ("Helvetica", "Helvetica-Bold", "Helvetica-Oblique", "Helvetica-BoldOblique"),
    "Times": ("Times-Roman", "Times-Bold", "Times-Italic", "Times-BoldItalic"),
    "Vera": ("Vera", "VeraBd", "VeraIt", "VeraBI"),  # a TrueType font of reportlab: embedded as a subset
}
PAGES = {"A4": A4, "A5": A5, "letter": letter}
MARGIN = {"report": 25, "paper": 20, "manual": 22, "letter": 28, "book": 24, "notes": 24}


def front_matter(text):
    """Splits a document's text into its settings and its body."""
    head, _, body = text.lstrip().partition("\n\n")
    return dict(line.split(": ", 1) for line in head.splitlines()), body


def blocks(body):
    """The body as a list of (kind, text); a table is ("table", rows)."""
    found, words, rows = [], [], []

    def close():
        if words:
            found.append(("text", " ".join(words)))
            words.clear()
        if rows:
            found.append(("table", list(rows)))
            rows.clear()

    for line in body.splitlines():
        line = line.strip()
        mark = re.match(r"(#{1,3}|-|>) (.*)", line)
        if line.startswith("|"):
            rows.append([cell.strip() for cell in line.strip("|").split("|")])
            continue
        if mark or not line or line.startswith("!"):
            close()
        if mark:
            kind = {"#": "title", "##": "heading", "###": "subheading", "-": "bullet", ">": "centred"}[mark[1]]
            if kind == "bullet":
                kind = "text-bullet"
                words.append("\u2022 " + mark[2])
            else:
                found.append((kind, mark[2]))
        elif line.startswith("!"):
            found.append(("order", line[1:]))
        elif line:
            words.append(line)
    close()
    return [("bullet", text[2:]) if kind == "text" and text.startswith("\u2022 ") else (kind, text) for kind, text in found]


def inline(text):
    """Markup inside a paragraph to reportlab's own; footnotes are cut out and given back apart."""
    notes = re.findall(r"\^\[(.*?)\]", text)
    text = escape(re.sub(r"\^\[.*?\]", "\x00", text))
    text = re.sub(r"\*\*(.+?)\*\*", r"<b>\1</b>", text)
    text = re.sub(r"\*(.+?)\*", r"<i>\1</i>", text)
    text = re.sub(r"\[([^\]]+)\]\(([^)]+)\)", r'<a href="\2" color="#1a4f8a">\1</a>', text)
    return text, notes


class Note(Flowable):
    """Takes no room; tells the page that a footnote belongs on it."""

    def __init__(self, number, text):
        super().__init__()
        self.number, self.text = number, text

    def wrap(self, _width, _height):
        return 0, 0

    def draw(self):
        self.canv.page_notes = [*getattr(self.canv, "page_notes", []), (self.number, self.text)]


class Document(BaseDocTemplate):
    """Frames, running heads, footnotes, bookmarks: all that belongs to a page and not to a paragraph."""

    def __init__(self, path, settings):
        self.settings = settings
        self.kind = settings.get("layout", "report")
        self.margin = MARGIN[self.kind] * mm
        super().__init__(str(path), pagesize=PAGES[settings.get("page", "A4")], title=settings["title"],
                         author=settings.get("author", ""), lang=settings.get("lang", "en"), creator="", subject="")
        width, height = self.pagesize
        inner, foot = width - 2 * self.margin, (34 if settings.get("footnotes") else 20) * mm
        tall = height - foot - self.margin

        def frame(x, wide, name):
            return Frame(x, foot, wide, tall, 0, 0, 0, 0, id=name)

        column, gap = (inner - 7 * mm) / 2, 7 * mm
        one = [frame(self.margin, inner, "one")]
        two = [frame(self.margin, column, "left"), frame(self.margin + column + gap, column, "right")]
        top = 88 * mm
        first = [Frame(self.margin, foot + tall - top, inner, top, 0, 0, 0, 0, id="head")]
        first += [Frame(self.margin + i * (column + gap), foot, column, tall - top, 0, 0, 0, 0, id=f"first{i}") for i in (0, 1)]
        if self.kind == "paper":
            self.addPageTemplates([PageTemplate("first", first, onPageEnd=self.furnish), PageTemplate("two", two, onPageEnd=self.furnish)])
        else:
            self.addPageTemplates([PageTemplate("one", one, onPageEnd=self.furnish)])

    def furnish(self, canvas, _doc):
        """Draws the running head, the foot and the footnotes of the page that ends."""
        font = FONTS[self.settings.get("font", "Helvetica")]
        width, height = self.pagesize
        canvas.saveState()
        canvas.setFont(font[0], 8)
        if "header" in self.settings and canvas.getPageNumber() > 1:
            canvas.drawString(self.margin, height - self.margin + 5 * mm, self.settings["header"])
            canvas.line(self.margin, height - self.margin + 3.5 * mm, width - self.margin, height - self.margin + 3.5 * mm)
        if "footer" in self.settings:
            canvas.drawCentredString(width / 2, 11 * mm, self.settings["footer"].replace("#", str(canvas.getPageNumber())))
        bottom = 32 * mm
        for number, text in getattr(canvas, "page_notes", []):
            note = Paragraph(f"<super>{number}</super> {inline(text)[0]}",
                             ParagraphStyle("note", fontName=font[0], fontSize=7.2, leading=8.6))
            _, tall = note.wrap(width - 2 * self.margin, 40 * mm)
            bottom -= tall + 1
            note.drawOn(canvas, self.margin, bottom)
        canvas.page_notes = []
        canvas.restoreState()

    def afterFlowable(self, flowable):  # noqa: N802 (reportlab's name)
        entry = getattr(flowable, "entry", None)
        if entry:
            level, text, key = entry
            self.canv.bookmarkPage(key)
            if self.settings.get("bookmarks"):
                self.canv.addOutlineEntry(text, key, level, closed=False)
            self.notify("TOCEntry", (level, escape(text), self.page, key))


def styles(settings):
    """The paragraph styles of one document."""
    plain, bold, slanted, _ = FONTS[settings.get("font", "Helvetica")]
    kind = settings.get("layout", "report")
    size = float(settings.get("size", 9.4 if kind == "paper" else 11))
    base = dict(fontName=plain, fontSize=size, leading=size * (1.26 if kind == "paper" else 1.42), spaceAfter=size * 0.62)
    if kind == "paper":
        base.update(alignment=TA_JUSTIFY, hyphenationLang="en_GB", hyphenationMinWordLength=6)
    return {
        "text": ParagraphStyle("text", **base),
        "bullet": ParagraphStyle("bullet", **{**base, "leftIndent": 14, "bulletIndent": 3, "spaceAfter": size * 0.35}),
        "title": ParagraphStyle("title", fontName=bold, fontSize=size * 1.75, leading=size * 2.1, spaceAfter=size),
        "heading": ParagraphStyle("heading", fontName=bold, fontSize=size * 1.28, leading=size * 1.6, spaceBefore=size * 0.7,
                                  spaceAfter=size * 0.5, keepWithNext=1),
        "subheading": ParagraphStyle("subheading", fontName=bold, fontSize=size * 1.04, leading=size * 1.4,
                                     spaceBefore=size * 0.4, spaceAfter=size * 0.3, keepWithNext=1),
        "centred": ParagraphStyle("centred", **{**base, "alignment": TA_CENTER, "fontName": slanted}),
        "cell": ParagraphStyle("cell", fontName=plain, fontSize=size * 0.82, leading=size * 1.04),
        "head": ParagraphStyle("head", fontName=bold, fontSize=size * 0.82, leading=size * 1.04),
    }


def table(rows, look, wide, style):
    """A table as wide as the text; a column's share follows its longest cells."""
    longest = [max(9, *(min(len(cell), 46) for cell in column)) + 2 for column in zip(*rows, strict=True)]
    widths = [wide * share / sum(longest) for share in longest]
    cells = [[Paragraph(inline(cell)[0], style["head" if n == 0 else "cell"]) for cell in row] for n, row in enumerate(rows)]
    dress = [("VALIGN", (0, 0), (-1, -1), "TOP"), ("TOPPADDING", (0, 0), (-1, -1), 2.2), ("BOTTOMPADDING", (0, 0), (-1, -1), 2.6)]
    if look == "ruled":
        dress.append(("GRID", (0, 0), (-1, -1), 0.4, colors.grey))
    elif look == "bands":
        dress.append(("ROWBACKGROUNDS", (0, 1), (-1, -1), [colors.whitesmoke, colors.white]))
        dress.append(("LINEBELOW", (0, 0), (-1, 0), 0.8, colors.black))
    return Table(cells, colWidths=widths, repeatRows=1, style=TableStyle(dress), spaceBefore=4, spaceAfter=9, hAlign="LEFT")


def story(body, settings, wide):
    """The blocks of a document as the flowables that reportlab sets."""
    style, flow, look, count = styles(settings), [], "ruled", 0
    for number, (kind, content) in enumerate(blocks(body)):
        if kind == "order":
            name, _, value = content.partition(" ")
            if name == "table":
                look = value
            elif name == "page":
                flow.append(PageBreak())
            elif name == "gap":
                flow.append(Spacer(1, 8 * mm))
            elif name == "columns":  # the end of a paper's head
                flow += [NextPageTemplate("two"), Column()]
            elif name == "contents":
                flow.append(contents(style))
            else:
                raise ValueError(f"unknown order: {content}")
        elif kind == "table":
            flow.append(table(content, look, wide, style))
        else:
            anchor = re.search(r" \{#([\w-]+)\}$", content)
            text, notes = inline(content[: anchor.start()] if anchor else content)
            marks = [f"<super>{count + i + 1}</super>" for i in range(len(notes))]
            for mark in marks:
                text = text.replace("\x00", mark, 1)
            paragraph = Paragraph(text, style[kind], bulletText="\u2022" if kind == "bullet" else None)
            if kind in ("heading", "subheading"):
                words = re.sub(r"<.*?>", "", text).replace("&amp;", "&")
                paragraph.entry = (0 if kind == "heading" else 1, words, anchor[1] if anchor else f"h{number}")
            flow.append(paragraph)
            for note in notes:
                count += 1
                flow.append(Note(count, note))
    return flow


class Column(Flowable):
    """Fills what is left of a frame, so that the next thing starts in the next column."""

    def wrap(self, width, height):
        return width, height - 1

    def draw(self):
        """Nothing to see."""


def contents(style):
    """The table of contents; it needs the document to be set twice."""
    made = TableOfContents(dotsMinLevel=0)
    made.levelStyles = [ParagraphStyle("c0", parent=style["text"], spaceAfter=2),
                        ParagraphStyle("c1", parent=style["text"], leftIndent=12, spaceAfter=1)]
    return made


def write(path, text):
    """Sets one document."""
    if "Vera" not in pdfmetrics.getRegisteredFontNames():
        for name in FONTS["Vera"]:
            pdfmetrics.registerFont(TTFont(name, name + ".ttf"))
        pdfmetrics.registerFontFamily("Vera", "Vera", "VeraBd", "VeraIt", "VeraBI")
    settings, body = front_matter(text)
    document = Document(path, settings)
    inner = document.pagesize[0] - 2 * document.margin
    wide = (inner - 7 * mm) / 2 if document.kind == "paper" else inner
    document.multiBuild(story(body, settings, wide))
