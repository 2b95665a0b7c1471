// The text of an answer as elements: paragraphs, lists, headings, **bold**, *italic*, `code`, and [1] as what the caller makes of it.
//
// In: text of a model, which may be anything. Out: elements that hold text and nothing else: there are no links, no pictures and no HTML,
// because what is not a sign of the few known here stays the text that it is.

const FENCE = /^ {0,3}(`{3,}|~{3,})/;
const HEADING = /^ {0,3}#{1,6}\s+(.*?)[\s#]*$/;
const RULE = /^ {0,3}([-*_])( *\1){2,} *$/;
const ITEM = /^(\s*)([-*+•]|\d{1,4}[.)])\s+(.*)$/;
// Bounded, so that signs without their partner do not make every keystroke of a model dear.
const INLINE = /(`+)([^`][^]{0,600}?)\1(?!`)|\*\*(?=\S)([^]{1,900}?\S|\S)\*\*|(?<![\p{L}\p{N}*])\*(?=[^\s*])([^*]{1,900}?)(?<=\S)\*(?![\p{L}\p{N}*])|\[(\d{1,3})\]/gu;

/** The server writes a < of the model as an entity. */
export const plain = (text) => text.replaceAll("&lt;", "<");

/** The numbers that a text cites, in order. */
export const citedIn = (text) => [...new Set([...text.matchAll(/\[(\d{1,3})\]/g)].map(([, n]) => Number(n)))];

/** Makes `place` show the text. What stands there already and has not changed stays: a selection, a focus. */
export function paint(place, text, citation) {
  const blocks = blocksOf(plain(text).split(/\r?\n/));
  const old = [...place.children];
  let same = 0;
  while (same < blocks.length && old[same]?.source === blocks[same].source) same += 1;
  old.slice(same).forEach((element) => element.remove());
  for (const block of blocks.slice(same)) {
    const element = MAKE[block.kind](block.lines, citation);
    element.source = block.source;
    place.append(element);
  }
}

function blocksOf(lines) {
  const blocks = [];
  const add = (kind, held) => blocks.push({ kind, lines: held, source: `${kind}\n${held.join("\n")}` });
  let at = 0;
  const gather = (goesOn) => {
    const start = at;
    while (at < lines.length && goesOn(lines[at], at)) at += 1;
    return lines.slice(start, at);
  };
  while (at < lines.length) {
    const line = lines[at];
    const fence = FENCE.exec(line)?.[1];
    if (fence) {
      at += 1;
      add("code", gather((next) => !next.trim().startsWith(fence)));
      at += 1;
    } else if (line.trim() === "" || RULE.test(line)) at += 1;
    else if (HEADING.test(line)) {
      add("heading", [HEADING.exec(line)[1]]);
      at += 1;
    } else if (ITEM.test(line)) {
      // A list goes on over an empty line when an item or something indented comes after it.
      const belongs = (next) => next !== undefined && (ITEM.test(next) ? !begins(line, next) : /^\s{2,}\S/.test(next));
      add("list", gather((next, index) => belongs(next) || (next.trim() === "" ? belongs(lines[index + 1]) : !starts(next) && lines[index - 1]?.trim() !== "")));
    } else add("paragraph", gather((next, index) => next.trim() !== "" && (next === line || !starts(next)) && index < lines.length));
  }
  return blocks;
}

const ordered = (item) => /\d/.test(item[2]);

/** Whether an item is not of the list that begins with another, but of the next one. */
function begins(first, next) {
  const [one, other] = [ITEM.exec(first), ITEM.exec(next)];
  return other[1].length <= one[1].length + 1 && ordered(one) !== ordered(other);
}

const starts = (line) => FENCE.test(line) || HEADING.test(line) || RULE.test(line) || ITEM.test(line);

const MAKE = {
  code(lines) {
    const [box, code] = [document.createElement("pre"), document.createElement("code")];
    box.tabIndex = 0;
    box.dir = "ltr";
    code.textContent = lines.join("\n");
    box.append(code);
    return box;
  },
  heading([text], citation) {
    const [line, strong] = [block("p", "prose-heading"), document.createElement("strong")];
    inline(strong, text, citation);
    line.append(strong);
    return line;
  },
  paragraph(lines, citation) {
    const paragraph = block("p");
    inlineLines(paragraph, lines, citation);
    return paragraph;
  },
  list: (lines, citation) => list(lines.filter((line) => line.trim() !== ""), citation),
};

function block(tag, name) {
  const element = document.createElement(tag);
  if (name) element.className = name;
  element.dir = "auto";
  return element;
}

/** One list; what is indented more than its items is inside the item above it. */
function list(lines, citation) {
  const first = ITEM.exec(lines[0]);
  const [, indent, sign] = first;
  const box = block(ordered(first) ? "ol" : "ul");
  if (ordered(first)) box.start = Number.parseInt(sign, 10);
  const items = [];
  for (const line of lines) {
    const found = ITEM.exec(line);
    if (found && (found[1].length <= indent.length + 1 || items.length === 0)) items.push({ words: [found[3]], inner: [] });
    else if (found || items.at(-1).inner.length > 0) items.at(-1).inner.push(line);
    else items.at(-1).words.push(line.trim());
  }
  for (const { words, inner } of items) {
    const item = document.createElement("li");
    inlineLines(item, words, citation);
    if (inner.length > 0) item.append(list(inner, citation));
    box.append(item);
  }
  return box;
}

function inlineLines(place, lines, citation) {
  lines.forEach((line, index) => {
    if (index > 0) place.append(document.createElement("br"));
    inline(place, line.trim(), citation);
  });
}

function inline(place, text, citation) {
  let at = 0;
  for (const found of text.matchAll(INLINE)) {
    const [whole, , code, bold, italic, number] = found;
    place.append(text.slice(at, found.index));
    at = found.index + whole.length;
    if (number) place.append(citation(Number(number)) ?? whole);
    else {
      const inner = document.createElement(code ? "code" : bold ? "strong" : "em");
      if (code) inner.textContent = code.trim();
      else inline(inner, bold ?? italic, citation);
      place.append(inner);
    }
  }
  place.append(text.slice(at));
}
