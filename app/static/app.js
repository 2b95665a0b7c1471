// What pages do beyond plain forms and links: they follow what changes, upload with progress, ask before they delete.
//
// In: the HTML that the server rendered, and the pieces of it that come as events. Every form also works without this
// file. Words come from the server wherever it has any; nothing here builds HTML from text.

const $ = (selector, root = document) => root.querySelector(selector);
const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];
const FETCH = { "X-Requested-With": "fetch" };

document.documentElement.classList.add("scripted");

/** Says something to people who listen instead of looking. */
function announce(words) {
  const place = $("#announcer");
  place.textContent = "";
  setTimeout(() => (place.textContent = words), 60);
}

/** An element with a class and a text. */
function make(tag, name, text = "") {
  const element = document.createElement(tag);
  element.className = name;
  element.textContent = text;
  return element;
}

function closer(words, close) {
  const button = make("button", "icon-button", "✕");
  button.type = "button";
  button.setAttribute("aria-label", words);
  button.addEventListener("click", close);
  return button;
}

/** Shows a notice until it is closed or, where nothing is wrong, for a while. */
function notice(words, wrong = true) {
  const box = make("div", "notice");
  box.setAttribute("role", wrong ? "alert" : "status");
  box.append(make("span", "", words), closer("Close", () => box.remove()));
  $("#notices").replaceChildren(box);
  if (!wrong) setTimeout(() => box.remove(), 5000);
}

const LOCALE = navigator.language.startsWith("en") ? navigator.language : "en-GB";

/** Moments in the person's own time; in English, as all of the page. */
function localMoments(root = document) {
  for (const time of $$("time[datetime]", root)) {
    const moment = new Date(time.dateTime);
    if (Number.isNaN(moment.getTime())) continue;
    const words = moment.toLocaleString(LOCALE, { dateStyle: "medium", timeStyle: "short" });
    if (time.textContent !== words) time.textContent = words;
  }
}

// --- Pieces of the page that change ------------------------------------------------------------------------------

const same = (a, b) => a.nodeType === b.nodeType && a.nodeName === b.nodeName && (a.id || "") === (b.id || "");

/** Makes `old` like `fresh` and keeps what has not changed: focus, open menus and half-typed titles stay as they are. */
function morph(old, fresh) {
  if (old.nodeType !== Node.ELEMENT_NODE) {
    if (old.nodeValue !== fresh.nodeValue) old.nodeValue = fresh.nodeValue;
    return;
  }
  if (old.matches("details[open]")) return;
  for (const { name, value } of [...fresh.attributes]) {
    if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
  for (const { name } of [...old.attributes]) {
    if (!fresh.hasAttribute(name)) old.removeAttribute(name);
  }
  const wanted = [...fresh.childNodes];
  let at = old.firstChild;
  for (const child of wanted) {
    const byId = child.id ? [...old.children].find((one) => one.id === child.id) : null;
    const match = byId ?? (at && !at.id && same(at, child) ? at : null);
    if (match) {
      if (match !== at) old.insertBefore(match, at);
      morph(match, child);
      at = match.nextSibling;
    } else {
      old.insertBefore(child, at);
    }
  }
  while (at) {
    const next = at.nextSibling;
    at.remove();
    at = next;
  }
}

function parse(html) {
  const template = document.createElement("template");
  template.innerHTML = html;
  localMoments(template.content);
  return template.content.firstElementChild;
}

function showList(html) {
  const [list, fresh] = [$("#list"), parse(html)];
  if (fresh && $("#actions")) showOne(fresh);
  if (!list || !fresh) return;
  const before = new Map($$(".doc", list).map((row) => [row.id, row.dataset.stage]));
  const focused = list.contains(document.activeElement) ? document.activeElement : null;
  const row = focused?.closest(".doc");
  for (const row of $$(".doc", fresh)) {
    const old = before.get(row.id);
    if (old && old !== row.dataset.stage) announce(`${row.dataset.title}: ${$(".stage span:last-child", row).textContent}`);
  }
  morph(list, fresh);
  // What had the focus may be gone, such as a button of a stage that is over: stay near it.
  if (focused && !focused.isConnected) (row?.isConnected ? $("summary", row) : $("#main")).focus();
  gate();
}

/** The page of one document shows how far it is and what can be done about it. */
function showOne(fresh) {
  const row = $(`#doc-${$("#actions").dataset.document}`, fresh);
  if (!row) {
    // Deleted in another tab, or by another member.
    location.assign("/documents");
    return;
  }
  const words = $(".stage span:last-child", row).textContent;
  const [stage, actions] = [$("#about .doc-stage"), $("#actions")];
  if (actions.dataset.stage !== row.dataset.stage) announce(words);
  actions.dataset.stage = row.dataset.stage;
  morph(stage, $(".doc-stage", row));
  for (const action of actions.children) action.hidden = !action.dataset.in.split(" ").includes(row.dataset.stage);
}

function showPanel(html) {
  const [place, fresh] = [$("#panel"), parse(html)];
  if (!place || !fresh) return;
  const old = place.firstElementChild;
  const ready = fresh.dataset.ready === "true";
  // Whoever comes to a page whose database is ready needs no word about it.
  if (!old && ready) return;
  if (!old) place.append(fresh);
  const working = (root) => $(".step.working .step-label", root)?.textContent;
  const news = ready ? $("h2", fresh).textContent : working(fresh);
  if (news && old && news !== (old.dataset.ready === "true" ? $("h2", old).textContent : working(old))) announce(news);
  if (old) morph(old, fresh);
  gate();
}

/** Opens or closes the upload box, and says why it is closed. */
function gate() {
  const form = $("#upload");
  if (!form) return;
  const preparing = $("#panel > [data-ready=false]") !== null;
  const full = Number($("#list").dataset.free) <= 0;
  $("fieldset", form).disabled = preparing || full;
  $("[data-closed=preparing]", form).hidden = !preparing;
  $("[data-closed=full]", form).hidden = preparing || !full;
}

// --- News from the server ----------------------------------------------------------------------------------------

function follow() {
  const lost = $("#connection");
  let [source, tries, timer] = [null, 0, null];
  const say = (words) => {
    if (lost.textContent !== words) lost.textContent = words;
    lost.hidden = words === "";
  };
  const connect = () => {
    clearTimeout(timer);
    source?.close();
    source = new EventSource("/events");
    source.addEventListener("open", () => {
      tries = 0;
      say("");
    });
    source.addEventListener("tenant", (event) => showPanel(event.data));
    source.addEventListener("documents", (event) => showList(event.data));
    source.addEventListener("error", () => {
      source.close();
      tries += 1;
      // One break, such as a server that is being replaced, is healed before anybody need hear of it.
      if (tries > 1) say("The connection is lost, so this page may be out of date. Trying again…");
      timer = setTimeout(again, Math.min(1000 * 2 ** (tries - 1), 20000) * (0.75 + Math.random() / 2));
    });
  };
  const again = async () => {
    await refresh();
    connect();
  };
  addEventListener("online", connect);
  // A browser has six connections for a whole site: tabs that nobody looks at must not use them up.
  let hiding;
  document.addEventListener("visibilitychange", () => {
    clearTimeout(hiding);
    if (document.hidden) {
      hiding = setTimeout(() => {
        clearTimeout(timer);
        source?.close();
      }, 10000);
    } else if (source?.readyState === EventSource.CLOSED) again();
  });
  addEventListener("pagehide", () => source?.close());
  addEventListener("pageshow", (event) => event.persisted && connect());
  // A tab that is opened in the background connects when somebody looks at it.
  if (document.hidden) document.addEventListener("visibilitychange", () => source || connect(), { once: true });
  else connect();
}

/** Fetches the list once; whoever is no longer signed in is led to where they can. */
async function refresh() {
  if (!$("#list, #actions")) return;
  const answer = await fetch("/documents/list", { headers: FETCH }).catch(() => null);
  if (answer?.status === 401) location.assign(`/sign-in?return_to=${encodeURIComponent(location.pathname)}`);
  if (answer?.ok) showList(await answer.text());
}

// --- Forms -------------------------------------------------------------------------------------------------------

function confirmed(form) {
  const dialog = $("#confirm");
  $("#confirm-title").textContent = form.dataset.confirm;
  $("#confirm-words").textContent = form.dataset.confirmWords;
  $("#confirm-yes").textContent = form.dataset.confirmYes;
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((done) => dialog.addEventListener("close", () => done(dialog.returnValue === "yes"), { once: true }));
}

/** The words of an answer that is not well. */
function wordsOf(status, text) {
  try {
    return JSON.parse(text).message;
  } catch {
    return status === 413 ? "The file is too large." : `The server did not take it (${status}). Try again in a moment.`;
  }
}

async function send(form) {
  const row = form.closest(".doc");
  row?.setAttribute("aria-busy", "true");
  try {
    const body = new URLSearchParams(new FormData(form));
    const answer = await fetch(form.action, { method: "POST", headers: FETCH, body });
    if (answer.status === 401) return location.assign("/sign-in");
    if (!answer.ok) return notice(wordsOf(answer.status, await answer.text()));
    form.closest("details")?.removeAttribute("open");
    await after(form, body);
  } catch {
    notice("The server cannot be reached. Check your connection and try again.");
  } finally {
    row?.removeAttribute("aria-busy");
  }
}

async function after(form, body) {
  const what = form.dataset.fetch;
  if (form.dataset.said) announce(form.dataset.said);
  if (what === "list") return refresh();
  // The page's own script does the rest.
  if (what === "event") return form.dispatchEvent(new CustomEvent("sent", { bubbles: true, detail: body }));
  if (what === "title") {
    const title = body.get("title").trim();
    const remove = $("#manage [data-confirm]").dataset;
    remove.confirmWords = remove.confirmWords.replace($("#title").textContent, () => title);
    $("#title").textContent = title;
    document.title = `${title} · Tenantry`;
    return notice("Renamed.", false);
  }
  location.assign(what);
}

addEventListener("submit", async (event) => {
  const form = event.target;
  if (form.dataset.fetch) {
    event.preventDefault();
    if (form.getAttribute("aria-busy")) return;
    form.setAttribute("aria-busy", "true");
    if (!form.dataset.confirm || (await confirmed(form))) await send(form);
    form.removeAttribute("aria-busy");
  } else if (form.dataset.busy) {
    // The next page takes a moment: say so, and do not ask twice.
    const button = $("button", form);
    if (button.getAttribute("aria-busy")) return event.preventDefault();
    button.dataset.words = button.textContent;
    button.textContent = form.dataset.busy;
    button.setAttribute("aria-busy", "true");
    announce(form.dataset.busy);
  }
});

// A page that comes back from the browser's own memory is not busy any more.
addEventListener("pageshow", () => {
  for (const button of $$("button[aria-busy][data-words]")) {
    button.textContent = button.dataset.words;
    button.removeAttribute("aria-busy");
  }
});

// Menus close by Escape and by a click elsewhere.
const closeMenus = (except) => $$("details.menu[open]").forEach((menu) => menu !== except && menu.removeAttribute("open"));
// A menu at the end of a list opens below what is in view.
addEventListener("toggle", (event) => event.target.matches?.("details.menu[open]") && event.target.lastElementChild.scrollIntoView({ block: "nearest" }), true);
addEventListener("click", (event) => event.target.closest?.("dialog") ?? closeMenus(event.target.closest?.("details.menu")));
addEventListener("keydown", (event) => {
  const menu = $("details.menu[open]");
  if (event.key !== "Escape" || !menu || $("dialog[open]")) return;
  closeMenus();
  $("summary", menu).focus();
});

// --- Uploads -----------------------------------------------------------------------------------------------------

const LIMIT = () => Number($("#upload").dataset.megabytes) * 1048576;

/** What can be told without asking the server; the server judges by the content. */
async function hint(file) {
  if (file.size > LIMIT()) return `This file is larger than ${$("#upload").dataset.megabytes} MB.`;
  if (file.size === 0) return "This file is empty.";
  const head = await file.slice(0, 1024).text().catch(() => null);
  if (head === null) return "This cannot be read. A folder cannot be uploaded; choose the files in it.";
  return head.includes("%PDF-") ? null : "This is not a PDF.";
}

function transfer(file, show) {
  return new Promise((done) => {
    const [request, body] = [new XMLHttpRequest(), new FormData()];
    body.append("file", file);
    request.open("POST", "/documents");
    request.setRequestHeader("X-Requested-With", "fetch");
    request.upload.addEventListener("progress", (event) => event.lengthComputable && show.progress(event.loaded / event.total));
    request.upload.addEventListener("load", () => show.words("Checking the file…"));
    request.addEventListener("load", () => {
      if (request.status === 401) return location.assign("/sign-in");
      done(request.status === 201 ? null : wordsOf(request.status, request.responseText));
    });
    request.addEventListener("error", () => done("The connection broke off. Check it and try again."));
    request.addEventListener("abort", () => done("Cancelled."));
    show.onCancel(() => request.abort());
    request.send(body);
  });
}

/** The line of one upload. */
function line(file) {
  const item = make("li", "card sending");
  const [name, words, bar] = [make("bdi", "name", file.name), make("p", "words", "Waiting…"), make("progress", "")];
  let cancelled = false;
  let cancel = () => item.remove();
  const button = closer(`Cancel the upload of ${file.name}`, () => cancel());
  bar.setAttribute("aria-label", `Upload of ${file.name}`);
  item.append(name, button, bar, words);
  $("#uploads").append(item);
  cancel = () => {
    cancelled = true;
    item.remove();
  };
  return {
    cancelled: () => cancelled,
    words: (text) => (words.textContent = text),
    onCancel: (stop) => (cancel = stop),
    progress(part) {
      bar.value = part;
      words.textContent = `Uploading: ${Math.floor(part * 100)}%`;
    },
    failed(text) {
      bar.remove();
      words.textContent = text;
      item.classList.add("failed");
      button.setAttribute("aria-label", `Close the message about ${file.name}`);
      cancel = () => item.remove();
      announce(`${file.name}: ${text}`);
    },
    done() {
      item.remove();
      announce(`${file.name} was uploaded`);
    },
  };
}

/** Uploads one file after the other. */
function uploader() {
  const [form, input, drop] = [$("#upload"), $("#file"), $("#upload .drop")];
  let last = Promise.resolve();
  let sending = 0;
  const upload = async (file, show) => {
    if (show.cancelled()) return;
    const problem = (await hint(file)) ?? (await transfer(file, show));
    if (problem === null) show.done();
    else show.failed(problem);
    await refresh();
  };
  const add = (files) => {
    for (const file of files) {
      const show = line(file);
      sending += 1;
      last = last.then(() => upload(file, show)).catch(() => show.failed("This did not work. Try again.")).finally(() => (sending -= 1));
    }
  };
  const open = () => !$("fieldset", form).disabled;
  input.multiple = true;
  input.addEventListener("change", () => {
    add([...input.files]);
    input.value = "";
  });
  form.addEventListener("submit", (event) => event.preventDefault());
  const carriesFiles = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");
  // A file that misses the box must not replace the page.
  addEventListener("dragover", (event) => {
    if (!carriesFiles(event)) return;
    event.preventDefault();
    event.dataTransfer.dropEffect = open() ? "copy" : "none";
    drop.classList.toggle("over", open());
  });
  addEventListener("dragleave", (event) => event.relatedTarget === null && drop.classList.remove("over"));
  addEventListener("drop", (event) => {
    if (!carriesFiles(event)) return;
    event.preventDefault();
    drop.classList.remove("over");
    if (open()) add([...event.dataTransfer.files]);
  });
  addEventListener("beforeunload", (event) => sending > 0 && event.preventDefault());
}

// --- Go ----------------------------------------------------------------------------------------------------------

localMoments();
if ($("#upload")) uploader();
if ($("[data-live]")) follow();
