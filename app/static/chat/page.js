// Small helpers of the chat's page.
//
// In: selectors, names of templates, words. Out: elements of this page. Nothing here makes HTML of a text: what people or models
// wrote is only ever set as text.

export const $ = (selector, root = document) => root.querySelector(selector);
export const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];

/** Tells the server that a script asks, so that it answers in JSON. */
export const FETCH = { "X-Requested-With": "fetch" };

/** A new copy of what a template of the page holds. */
export const copyOf = (name) => $(`template#${name}`).content.firstElementChild.cloneNode(true);

/** Says something to people who listen instead of looking. */
export function announce(words) {
  const place = $("#announcer");
  place.textContent = "";
  setTimeout(() => (place.textContent = words), 60);
}

/** Shows a notice until it is closed. */
export function notice(words) {
  const [box, text, close] = [document.createElement("div"), document.createElement("span"), document.createElement("button")];
  box.className = "notice";
  box.setAttribute("role", "alert");
  text.textContent = words;
  close.type = "button";
  close.className = "icon-button";
  close.textContent = "✕";
  close.setAttribute("aria-label", "Close");
  close.addEventListener("click", () => box.remove());
  box.append(text, close);
  $("#notices").replaceChildren(box);
}

const LOCALE = navigator.language.startsWith("en") ? navigator.language : "en-GB";

/** A moment in the person's own time; in English, as all of the page. */
export const momentWords = (moment) => new Date(moment).toLocaleString(LOCALE, { dateStyle: "medium", timeStyle: "short" });

/** An id that nobody else makes. `crypto.randomUUID` is missing where a page comes without encryption from another machine. */
export const newId = () => [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");

/** Pages as people write them. */
export const pagesWords = ({ page, lastPage }) => (lastPage > page ? `pages ${page} to ${lastPage}` : `page ${page}`);

export const capital = (words) => words.charAt(0).toUpperCase() + words.slice(1);

/** Leads whoever is no longer signed in to where they can, and back here. */
export const toSignIn = () => location.assign(`/sign-in?return_to=${encodeURIComponent(location.pathname + location.search)}`);

export async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // Without encryption there is no clipboard for scripts: the old way still works.
    const field = document.createElement("textarea");
    field.value = text;
    field.className = "unseen";
    document.body.append(field);
    field.select();
    const copied = document.execCommand("copy");
    field.remove();
    if (!copied) throw new Error("nothing was copied");
  }
}
