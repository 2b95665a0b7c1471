// The PDF viewer: pages are drawn as they come into view, from the ranges of the file that they need.
//
// In: the addresses and the page in the attributes of #viewer, or, where they name no file, calls of `turnTo`. Out: drawings with
// text that can be selected, an event `drawn` for each; the page in view is kept in the attribute data-page and in the field, and on a
// document's own page in the address, so that a link or a reload leads back to it.

const viewer = document.querySelector("#viewer");
const area = viewer.querySelector(".pages");
const words = viewer.querySelector("[data-words]");
const field = viewer.querySelector("#page-number");
const control = (name) => viewer.querySelector(`[data-do=${name}]`);

const GAP = 16;
/** Drawings that are kept; those farthest from the page in view go first. */
const KEPT = 12;
/** Most pixels of a drawing: phones give no more memory to one. */
const MOST_PIXELS = 16_777_216;
const STEPS = [0.5, 0.67, 0.8, 1, 1.25, 1.5, 2, 3, 4];

/** Whether this is the page of one document, whose address tells the page in view. */
const ALONE = Boolean(viewer.dataset.file);

let pdf = null;
let lib = null;
let loading = null;
/** Counts what was asked to be opened: what comes late for an older one is dropped. */
let turn = 0;
let listens = false;
let pages = [];
let current = 1;
/** Zoom over the width of the area, 1 being exactly that. */
let zoom = 1;

/** Says what is going on in place of the pages; with `wrong`, and what can be done instead. */
function say(text, wrong = false) {
  words.replaceChildren(text);
  if (!wrong) return;
  words.setAttribute("role", "alert");
  const link = document.createElement("a");
  link.className = "button quiet";
  link.href = viewer.dataset.file;
  link.textContent = "Open the file itself";
  words.append(link);
}

function failureWords(error) {
  if (error?.name === "PasswordException") return "This PDF asks for a password, so it cannot be shown here.";
  if (error?.name === "InvalidPDFException") return "This PDF is damaged and cannot be shown here.";
  if (error?.status === 401) return "You are no longer signed in. Reload the page to sign in again.";
  if (error?.status === 404) return "The file is not here any more. It may have been deleted.";
  if (error?.name === "ResponseException") return "The file cannot be fetched at the moment. Reload the page to try again.";
  return "This PDF cannot be shown here.";
}

// --- Sizes -------------------------------------------------------------------------------------------------------

const roomFor = () => Math.max(area.clientWidth - 2 * parseFloat(getComputedStyle(area).paddingLeft), 120);

function scaleOf(page) {
  // Wide screens do not blow up a page beyond reading size.
  const fit = Math.min(roomFor() / page.width, 1.9);
  return fit * zoom;
}

function layOut() {
  for (const page of pages) {
    const scale = scaleOf(page);
    page.box.style.width = `${Math.floor(page.width * scale)}px`;
    page.box.style.height = `${Math.floor(page.height * scale)}px`;
    page.box.style.setProperty("--total-scale-factor", String(scale));
  }
}

/** Changes sizes and keeps what was in view there. */
function resize(change) {
  const page = pages[current - 1];
  if (!page) return;
  const part = (area.scrollTop - page.box.offsetTop) / page.box.offsetHeight;
  change();
  layOut();
  area.scrollTop = page.box.offsetTop + part * page.box.offsetHeight;
  for (const other of pages) if (other.drawn && other.drawn !== scaleOf(other)) forget(other);
  watchAgain();
}

// --- Drawing -----------------------------------------------------------------------------------------------------

function forget(page) {
  page.task?.cancel();
  page.text?.cancel();
  page.box.replaceChildren();
  page.box.classList.remove("failed");
  page.drawn = page.task = page.text = null;
}

/** Keeps the memory bounded. */
function forgetFar() {
  const drawn = pages.filter((page) => page.drawn);
  drawn.sort((a, b) => Math.abs(a.number - current) - Math.abs(b.number - current));
  for (const page of drawn.slice(KEPT)) forget(page);
}

async function draw(page) {
  const scale = scaleOf(page);
  if (page.drawn === scale) return;
  forget(page);
  page.drawn = scale;
  try {
    const source = await pdf.getPage(page.number);
    const natural = source.getViewport({ scale: 1 });
    if (page.width !== natural.width || page.height !== natural.height) measure(page, natural);
    if (page.drawn !== scale) return;
    const viewport = source.getViewport({ scale: scaleOf(page) });
    page.drawn = scaleOf(page);
    await drawOn(page, source, viewport);
    forgetFar();
  } catch (error) {
    if (error?.name === "RenderingCancelledException" || error?.name === "AbortException") return;
    page.box.replaceChildren();
    page.box.dataset.words = `Page ${page.number} cannot be shown.`;
    page.box.classList.add("failed");
  }
}

/** Pages need not have the size of the first one: what is in view stays in view when that comes out. */
function measure(page, natural) {
  const before = page.box.offsetHeight;
  const above = page.box.offsetTop + before <= area.scrollTop;
  page.width = natural.width;
  page.height = natural.height;
  layOut();
  if (above) area.scrollTop += page.box.offsetHeight - before;
}

async function drawOn(page, source, viewport) {
  const canvas = document.createElement("canvas");
  const most = Math.sqrt(MOST_PIXELS / (viewport.width * viewport.height));
  const sharp = Math.min(devicePixelRatio || 1, most);
  canvas.width = Math.floor(viewport.width * sharp);
  canvas.height = Math.floor(viewport.height * sharp);
  canvas.setAttribute("role", "presentation");
  const text = document.createElement("div");
  text.className = "textLayer";
  page.box.append(canvas, text);
  const transform = sharp === 1 ? null : [sharp, 0, 0, sharp, 0, 0];
  page.task = source.render({ canvas, viewport, transform });
  page.text = new lib.TextLayer({ textContentSource: source.streamTextContent(), container: text, viewport });
  await Promise.all([page.task.promise, page.text.render()]);
  text.classList.add("drawn");
  page.box.dispatchEvent(new CustomEvent("drawn", { bubbles: true, detail: { page: page.number } }));
}

let watcher = null;

function watchAgain() {
  watcher?.disconnect();
  const seen = (entries) => entries.forEach((entry) => entry.isIntersecting && draw(pages[entry.target.dataset.page - 1]));
  watcher = new IntersectionObserver(seen, { root: area, rootMargin: "60% 0px" });
  pages.forEach((page) => watcher.observe(page.box));
}

// --- The page in view --------------------------------------------------------------------------------------------

function show(number, { remember = true } = {}) {
  current = number;
  viewer.dataset.page = String(number);
  if (document.activeElement !== field) field.value = String(number);
  control("previous").disabled = number <= 1;
  control("next").disabled = number >= pages.length;
  if (!remember || !ALONE) return;
  const address = new URL(location.href);
  address.searchParams.set("page", String(number));
  if (/^#page=\d+$/.test(address.hash)) address.hash = "";
  history.replaceState(history.state, "", address);
}

function pageInView() {
  // The page that holds a line at a third of the area is the one that is being read.
  const line = area.scrollTop + area.clientHeight / 3;
  let [low, high] = [0, pages.length - 1];
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (pages[middle].box.offsetTop - GAP <= line) low = middle;
    else high = middle - 1;
  }
  return low + 1;
}

function jump(number) {
  if (!Number.isInteger(number)) return;
  const wanted = Math.min(Math.max(number, 1), pages.length);
  area.scrollTop = pages[wanted - 1].box.offsetTop - GAP / 2;
  show(wanted);
}

const fromHash = () => Number(/^#page=(\d+)$/.exec(location.hash)?.[1] ?? NaN);

// --- Controls ----------------------------------------------------------------------------------------------------

function zoomTo(next) {
  resize(() => (zoom = next));
  control("fit").setAttribute("aria-pressed", String(zoom === 1));
  control("out").disabled = zoom <= STEPS[0];
  control("in").disabled = zoom >= STEPS.at(-1);
}

function listen() {
  let due = false;
  area.addEventListener("scroll", () => {
    if (due) return;
    due = true;
    requestAnimationFrame(() => {
      due = false;
      const number = pageInView();
      if (number !== current) show(number);
    });
  }, { passive: true });
  control("previous").addEventListener("click", () => jump(current - 1));
  control("next").addEventListener("click", () => jump(current + 1));
  control("in").addEventListener("click", () => zoomTo(STEPS.find((step) => step > zoom) ?? zoom));
  control("out").addEventListener("click", () => zoomTo(STEPS.findLast((step) => step < zoom) ?? zoom));
  control("fit").addEventListener("click", () => zoomTo(1));
  control("jump").addEventListener("submit", (event) => {
    event.preventDefault();
    jump(Number.parseInt(field.value, 10));
    field.value = String(current);
    area.focus();
  });
  field.addEventListener("focus", () => field.select());
  field.addEventListener("blur", () => (field.value = String(current)));
  area.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const act = { ArrowLeft: () => jump(current - 1), ArrowRight: () => jump(current + 1), Home: () => jump(1), End: () => jump(pages.length) }[event.key];
    // Sideways scrolling stays possible where a page is wider than the area.
    if (!act || (event.key.startsWith("Arrow") && area.scrollWidth > area.clientWidth)) return;
    event.preventDefault();
    act();
  });
  if (ALONE) addEventListener("hashchange", () => jump(fromHash()));
  let width = area.clientWidth;
  new ResizeObserver(() => {
    // Hidden, it has no width, and keeps the one it had.
    if (area.clientWidth === 0 || area.clientWidth === width) return;
    width = area.clientWidth;
    resize(() => {});
  }).observe(area);
}

// --- Opening -----------------------------------------------------------------------------------------------------

async function open() {
  const { file, library, worker, parts, page } = viewer.dataset;
  const mine = turn;
  lib ??= await import(library);
  lib.GlobalWorkerOptions.workerSrc = worker;
  if (turn !== mine) return;
  loading = lib.getDocument({
    url: file,
    // Only what pages need, piece by piece.
    disableAutoFetch: true,
    disableStream: true,
    rangeChunkSize: 262_144,
    cMapUrl: `${parts}cmaps/`,
    standardFontDataUrl: `${parts}fonts/`,
    wasmUrl: `${parts}decoders/`,
    // The content security policy allows no WebAssembly: plain scripts take its place.
    useWasm: false,
    disableWorkerRendering: true,
    enableXfa: false,
  });
  const opened = await loading.promise;
  const first = (await opened.getPage(1)).getViewport({ scale: 1 });
  if (turn !== mine) return;
  pdf = opened;
  pages = Array.from({ length: pdf.numPages }, (_, index) => {
    const box = document.createElement("div");
    box.className = "page";
    box.dataset.page = String(index + 1);
    box.setAttribute("role", "group");
    box.setAttribute("aria-label", `Page ${index + 1}`);
    return { number: index + 1, box, width: first.width, height: first.height, drawn: null, task: null, text: null };
  });
  words.replaceChildren();
  area.append(...pages.map((each) => each.box));
  viewer.querySelector("[data-pages]").textContent = String(pages.length);
  [...viewer.querySelectorAll(".bar :disabled")].forEach((element) => (element.disabled = false));
  layOut();
  if (!listens) listen();
  listens = true;
  const wanted = ALONE && Number.isInteger(fromHash()) ? fromHash() : Number(page);
  current = Math.min(Math.max(wanted || 1, 1), pages.length);
  area.scrollTop = pages[current - 1].box.offsetTop - GAP / 2;
  show(current, { remember: wanted > 1 });
  watchAgain();
  viewer.dataset.open = "true";
}

/** Takes away what is open. */
function shut() {
  turn += 1;
  watcher?.disconnect();
  pages.forEach(forget);
  pages.forEach(({ box }) => box.remove());
  loading?.destroy();
  loading = pdf = null;
  pages = [];
  words.setAttribute("role", "status");
  delete viewer.dataset.open;
}

async function openOrSay() {
  const mine = turn;
  try {
    await open();
  } catch (error) {
    if (turn !== mine) return;
    console.error("The PDF could not be opened", error);
    say(failureWords(error), true);
  }
}

/** Opens another document, or another page of the one that is open. */
export async function turnTo({ file, page, name }) {
  if (viewer.dataset.file === file && pages.length > 0) return jump(page);
  shut();
  Object.assign(viewer.dataset, { file, page: String(page) });
  const download = viewer.querySelector("[download]");
  Object.assign(download, { href: file, download: name });
  say("Opening the document…");
  await openOrSay();
}

if (ALONE) openOrSay();
