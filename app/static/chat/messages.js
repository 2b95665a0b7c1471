// Questions and answers as the page shows them.
//
// In: the words of a question, or an answer as `stream.js` shapes it. Out: elements, and calls of what the page does about them: this file
// shows and hides, it asks no server but for the thumbs.

import { $, $$, FETCH, announce, capital, copyOf, copyText, notice, pagesWords } from "./page.js";
import { answerOf, emptyAnswer } from "./stream.js";
import { citedIn, paint, plain } from "./text.js";

/** A question. `send(words)` is called with the changed words. */
export class Question {
  constructor(id, words, { send }) {
    this.id = id;
    this.element = copyOf("a-question");
    this.send = send;
    const [form, label, field] = [$("form", this.element), $("label", this.element), $("textarea", this.element)];
    field.id = `edit-${id}`;
    label.htmlFor = field.id;
    this.words = words;
    $("[data-do=edit]", this.element).addEventListener("click", () => this.edit(true));
    $("[data-do=keep]", this.element).addEventListener("click", () => this.edit(false));
    field.addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.edit(false);
      if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      form.requestSubmit();
    });
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      if (field.value.trim() !== "" && this.send(this, field.value.trim())) this.edit(false);
    });
  }

  get words() {
    return $("[data-words]", this.element).textContent;
  }

  set words(words) {
    $("[data-words]", this.element).textContent = words;
  }

  edit(open) {
    const [form, field] = [$("form", this.element), $("textarea", this.element)];
    form.hidden = !open;
    this.element.classList.toggle("editing", open);
    if (!open) return $("[data-do=edit]", this.element).focus();
    field.value = this.words;
    field.focus();
    field.setSelectionRange(field.value.length, field.value.length);
  }
}

/** An answer: on its way, whole, stopped or failed. */
export class Answer {
  /** `does` holds: open(citation, element), regenerate(answer), again(answer). */
  constructor(chat, does) {
    this.chat = chat;
    this.does = does;
    this.element = copyOf("an-answer");
    this.part = (name) => $(`[data-${name}]`, this.element);
    this.data = emptyAnswer();
    this.due = false;
    const on = (name, act) => $(`[data-do=${name}]`, this.element).addEventListener("click", act);
    on("copy", () => this.copy());
    on("good", () => this.rate(1));
    on("bad", () => this.rate(-1));
    on("regenerate", () => does.regenerate(this));
    on("again", () => this.retry());
  }

  /** Shows a stored message. */
  static stored(chat, message, does) {
    const answer = new Answer(chat, does);
    answer.data = answerOf(message);
    answer.whole();
    return answer;
  }

  /** It begins again: what comes takes the place of what is shown. */
  restart() {
    this.data = emptyAnswer();
    this.problem(null);
  }

  /** What goes on, in words; people who only listen hear it once. */
  status(words) {
    const place = this.part("status");
    const old = place.hidden ? null : place.lastElementChild.textContent;
    place.hidden = words === null;
    if (words === null || words === old) return;
    place.lastElementChild.textContent = words;
    announce(words);
  }

  /** More of it has come: shown with the next picture of the screen, however many chunks there are. */
  more() {
    if (this.data.text === "") this.status(this.data.status);
    else this.status(null);
    this.element.classList.toggle("writing", this.data.text !== "");
    if (this.due) return;
    this.due = true;
    requestAnimationFrame(() => {
      this.due = false;
      this.paint();
    });
  }

  paint() {
    const { text, note } = this.data;
    paint(this.part("prose"), text, (n) => this.citation(n));
    this.part("note").hidden = note === null;
    this.part("note").lastElementChild.textContent = note ?? "";
  }

  /** Nothing more will come. */
  whole({ aloud = false } = {}) {
    const { text, metadata } = this.data;
    this.status(null);
    this.paint();
    this.element.classList.remove("writing");
    this.element.classList.toggle("wordless", text === "");
    const failed = metadata.state === "failed" || metadata.state === "answering";
    this.part("stopped").hidden = metadata.state !== "stopped";
    this.problem(failed ? { words: metadata.words ?? "The answer broke off." } : null);
    this.listSources();
    this.part("deeds").hidden = failed;
    for (const [name, value] of [["good", 1], ["bad", -1]]) $(`[data-do=${name}]`, this.element).setAttribute("aria-pressed", String(metadata.feedback === value));
    if (aloud) announce(this.spoken());
  }

  spoken() {
    const { text, note, metadata } = this.data;
    const count = this.cited().length;
    const end = { stopped: "You stopped this answer.", failed: metadata.words }[metadata.state] ?? (count > 0 ? `${count} ${count === 1 ? "source" : "sources"}.` : "");
    return [note, text === "" ? "" : `Answer: ${this.part("prose").innerText}`, end].filter(Boolean).join(" ");
  }

  /** What went wrong stands where the answer would; `wait` counts down before it can be tried again. */
  problem(what) {
    clearInterval(this.waiting);
    const [place, button] = [this.part("problem"), $("[data-do=again]", this.element)];
    place.hidden = what === null;
    if (what === null) return;
    this.again = what.again ?? (() => this.does.regenerate(this));
    $("p", place).textContent = what.words;
    this.status(null);
    let left = what.wait ?? 0;
    const show = () => {
      button.disabled = left > 0;
      button.textContent = left > 0 ? `Try again in ${left} s` : "Try again";
      if (left <= 0) clearInterval(this.waiting);
      left -= 1;
    };
    show();
    if (left >= 0) this.waiting = setInterval(show, 1000);
  }

  retry() {
    if (this.does.resting()) this.again();
  }

  // --- Sources -----------------------------------------------------------------------------------------------------

  cited() {
    return citedIn(this.data.text).filter((n) => this.data.sources.has(n));
  }

  citation(n) {
    const source = this.data.sources.get(n);
    if (!source) return null;
    const button = document.createElement("button");
    button.type = "button";
    button.className = "cite";
    button.textContent = String(n);
    button.dataset.n = String(n);
    button.title = `${source.title}, ${pagesWords(source)}`;
    button.setAttribute("aria-label", `Source ${n}: ${source.title}, ${pagesWords(source)}`);
    button.addEventListener("click", (event) => this.does.open(source, button, event));
    return button;
  }

  listSources() {
    const cited = this.cited();
    const [sources, folded] = [[...this.data.sources.values()].sort((a, b) => a.n - b.n), this.part("uncited")];
    const read = sources.filter(({ n }) => !cited.includes(n));
    this.part("sources").hidden = sources.length === 0;
    this.part("cited").replaceChildren(...sources.filter(({ n }) => cited.includes(n)).map((source) => this.source(source)));
    this.part("cited").hidden = cited.length === 0;
    $("h4", this.element).classList.toggle("unseen", cited.length === 0);
    folded.hidden = read.length === 0;
    $("summary", folded).textContent = cited.length > 0 ? `Also read (${read.length})` : `Passages that were read (${read.length})`;
    $("ol", folded).replaceChildren(...read.map((source) => this.source(source)));
  }

  source(source) {
    const item = copyOf("a-source");
    const put = (name, words) => ($(`[data-${name}]`, item).textContent = words);
    put("n", String(source.n));
    put("title", source.title);
    put("pages", capital(pagesWords(source)));
    put("quote", source.quote ?? "");
    $("button", item).addEventListener("click", (event) => this.does.open(source, $("button", item), event));
    return item;
  }

  // --- What can be done with it ------------------------------------------------------------------------------------

  /** Its text, and the sources that it cites. */
  async copy() {
    const sources = this.cited().sort((a, b) => a - b).map((n) => {
      const source = this.data.sources.get(n);
      return `[${n}] ${source.title}, ${pagesWords(source)}`;
    });
    const button = $("[data-do=copy]", this.element);
    try {
      await copyText([plain(this.data.text).trim(), ...(sources.length > 0 ? ["", ...sources] : [])].join("\n"));
    } catch {
      return notice("The answer could not be copied. Select its text and copy it from there.");
    }
    button.classList.add("done");
    setTimeout(() => button.classList.remove("done"), 2000);
    announce("Copied");
  }

  async rate(wanted) {
    const buttons = { 1: $("[data-do=good]", this.element), [-1]: $("[data-do=bad]", this.element) };
    const old = this.data.metadata.feedback ?? 0;
    const value = old === wanted ? 0 : wanted;
    const show = (shown) => {
      this.data.metadata.feedback = shown;
      for (const [each, button] of Object.entries(buttons)) button.setAttribute("aria-pressed", String(Number(each) === shown));
    };
    show(value);
    const answer = await fetch(`/api/chat/${this.chat}/feedback`, {
      method: "POST",
      headers: { ...FETCH, "content-type": "application/json" },
      body: JSON.stringify({ messageId: this.data.id, value }),
    }).catch(() => null);
    if (answer?.ok) return;
    show(old);
    notice("Your opinion could not be kept. Try again in a moment.");
  }
}

/** While an answer comes, nothing that would begin another can be pressed. */
export function rest(root, resting) {
  for (const button of $$("[data-rest]", root)) button.disabled = !resting;
}
