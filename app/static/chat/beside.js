// The document beside the chat, and how the parts of the page share the screen.
//
// In: a citation that was chosen. Out: its document at its page, and the passage marked where it is surely found. On a wide screen the
// parts stand side by side; on a phone one of three tabs is shown. The viewer is that of the document's own page.

import { $, $$, announce, capital, pagesWords } from "./page.js";
import { locate } from "./passage.js";

const root = $("#chat");
const viewer = $("#viewer");
const phone = matchMedia("(max-width: 800px)");
const narrow = matchMedia("(max-width: 1280px)");
const calm = matchMedia("(prefers-reduced-motion: reduce)");
const PARTS = ["talk", "beside", "conversations"];

let library = null;
let shown = null;
/** Where the focus goes back to when the document is closed. */
let from = null;

// --- Parts of the page -------------------------------------------------------------------------------------------

const button = (name) => $(`[data-do=${name}]`, root);

function setList(open) {
  root.dataset.list = open ? "open" : "closed";
  button("list").setAttribute("aria-expanded", String(open));
}

function setBeside(open) {
  root.dataset.beside = open ? "open" : "closed";
  button("beside").setAttribute("aria-expanded", String(open));
  // Three parts need room.
  if (open && narrow.matches) setList(false);
}

function setTab(name) {
  root.dataset.tab = name;
  for (const part of PARTS) {
    $(`#tab-${part}`).setAttribute("aria-selected", String(part === name));
    $(`#tab-${part}`).tabIndex = part === name ? 0 : -1;
  }
}

/** Sections are tabs' panels on a phone, and landmarks elsewhere. */
function setRoles() {
  for (const part of PARTS) {
    const section = $(`#${part}`);
    if (phone.matches) section.setAttribute("role", "tabpanel");
    else if (part === "conversations") section.setAttribute("role", "navigation");
    else section.removeAttribute("role");
  }
}

function listen() {
  button("list").addEventListener("click", () => {
    setList(root.dataset.list !== "open");
    localStorage.setItem("chat-list", root.dataset.list);
  });
  button("beside").addEventListener("click", () => (root.dataset.beside === "open" ? close() : reveal()));
  button("close").addEventListener("click", close);
  $("#beside").addEventListener("keydown", (event) => event.key === "Escape" && close());
  const tabs = PARTS.map((part) => $(`#tab-${part}`));
  tabs.forEach((tab, index) => {
    tab.addEventListener("click", () => (PARTS[index] === "beside" ? reveal() : setTab(PARTS[index])));
    tab.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (!step) return;
      event.preventDefault();
      const next = tabs[(index + step + tabs.length) % tabs.length];
      next.click();
      next.focus();
    });
  });
  phone.addEventListener("change", setRoles);
  viewer.addEventListener("drawn", ({ detail }) => shown && mark(detail.page));
}

// --- The document ------------------------------------------------------------------------------------------------

/** Shows the part, with the only document of the conversation where nothing else was opened. */
function reveal() {
  setBeside(true);
  setTab("beside");
  const only = root.dataset.document;
  if (!shown && only) show({ documentId: only, title: $("#scope-words").textContent, page: 1 });
}

function close() {
  setBeside(false);
  setTab("talk");
  (from?.isConnected ? from : phone.matches ? $("#tab-talk") : button("beside")).focus();
  from = null;
}

function say(words) {
  $("#beside-words").textContent = words;
}

/** Opens a citation; `by` is what was pressed, and gets the focus back when the document is closed. */
export function open(citation, by, event) {
  from = by;
  for (const chip of $$(".cite.chosen, .source.chosen")) chip.classList.remove("chosen");
  by.classList.add("chosen");
  setBeside(true);
  setTab("beside");
  show(citation);
  // By keyboard, or where the chat is no longer to be seen, reading goes on in the document.
  if (event.detail === 0 || phone.matches) $(".pages", viewer).focus({ preventScroll: true });
}

async function show(citation) {
  shown = { ...citation, lastPage: Math.max(citation.lastPage ?? 0, citation.page), seen: false, told: false };
  const mine = shown;
  $("#beside-title").textContent = citation.title;
  $("#beside-link").href = `/documents/${citation.documentId}?page=${citation.page}`;
  $("#beside-link").hidden = false;
  $("#beside-empty").hidden = true;
  viewer.hidden = false;
  say(capital(pagesWords(citation)));
  clear();
  library ??= import(root.dataset.viewer);
  const { turnTo } = await library;
  if (shown !== mine) return;
  await turnTo({ file: `/documents/${citation.documentId}/file`, page: citation.page, name: `${citation.title}.pdf` });
  if (shown === mine) mark(citation.page);
}

// --- The passage -------------------------------------------------------------------------------------------------

const clear = () => $$(".marks", viewer).forEach((marks) => marks.remove());

/** Marks the quote on its pages as far as they are drawn. A passage may go on to the next page. */
function mark(page) {
  const { quote, lastPage } = shown;
  if (!quote || page < shown.page || page > lastPage) return;
  const pages = [];
  for (let number = shown.page; number <= lastPage; number += 1) pages.push($(`.page[data-page="${number}"]:has(.textLayer.drawn)`, viewer));
  if (!pages[0]) return;
  const nodes = pages.filter(Boolean).flatMap(textOf);
  const pieces = locate(quote, nodes.map((node) => node.data).join(""));
  clear();
  if (pieces) draw(nodes, pieces);
  else if (pages.every(Boolean)) tell(`${capital(pagesWords(shown))}. The passage cannot be told apart for sure, so nothing is marked.`);
}

/** Said once for a citation: a page is drawn again whenever its size changes. */
function tell(words) {
  if (shown.told) return;
  shown.told = true;
  say(words);
}

function textOf(page) {
  const walk = document.createTreeWalker($(".textLayer", page), NodeFilter.SHOW_TEXT);
  const nodes = [];
  while (walk.nextNode()) nodes.push(walk.currentNode);
  return nodes;
}

function draw(nodes, pieces) {
  let start = 0;
  let first = null;
  for (const node of nodes) {
    for (const [begin, end] of pieces) {
      const [low, high] = [Math.max(begin - start, 0), Math.min(end - start, node.length)];
      const box = low < high ? paint(node, low, high) : null;
      first ??= box;
    }
    start += node.length;
  }
  tell(`${capital(pagesWords(shown))}. The passage is marked.`);
  if (!first || shown.seen) return;
  shown.seen = true;
  bring(first);
}

/** A box behind the letters; in parts of the page, so that it stays right in any size. */
function paint(node, low, high) {
  const page = node.parentElement.closest(".page");
  const layer = $(".marks", page) ?? page.insertBefore(document.createElement("div"), $(".textLayer", page));
  layer.className = "marks";
  const [range, whole] = [document.createRange(), page.getBoundingClientRect()];
  range.setStart(node, low);
  range.setEnd(node, high);
  let box = null;
  for (const { left, top, width, height } of range.getClientRects()) {
    box = document.createElement("div");
    const part = (value, of) => `${(100 * value) / of}%`;
    box.style.left = part(left - whole.left, whole.width);
    box.style.top = part(top - whole.top, whole.height);
    box.style.width = part(width, whole.width);
    box.style.height = part(height, whole.height);
    layer.append(box);
  }
  return box;
}

function bring(box) {
  const area = $(".pages", viewer);
  const top = box.getBoundingClientRect().top - area.getBoundingClientRect().top;
  if (top > area.clientHeight * 0.1 && top < area.clientHeight * 0.6) return;
  area.scrollBy({ top: top - area.clientHeight / 4, behavior: calm.matches ? "auto" : "smooth" });
}

/** Sets the parts up; a conversation about one document shows it where there is room. */
export function begin() {
  setRoles();
  setList(localStorage.getItem("chat-list") !== "closed" && !(narrow.matches && root.dataset.document));
  listen();
  if (root.dataset.document && !phone.matches) reveal();
  setTab("talk");
}
