// The conversations beside the chat.
//
// In: the rows that the server rendered; conversations that begin, are renamed or deleted. Out: the list as it is now. A row that is added
// is a copy of the template that the server's rows are made of.

import { $, $$, copyOf, momentWords } from "./page.js";

const list = $("#conversation-list");
const rowOf = (id) => $$(".conversation", list).find((row) => row.dataset.conversation === id);

/** Puts a conversation on top, new or not. */
export function upsert({ id, title, about }) {
  const row = rowOf(id) ?? made(id, about);
  const now = new Date();
  $("time", row).dateTime = now.toISOString();
  $("time", row).textContent = momentWords(now);
  if (title) entitle(row, title);
  // Moving it would take the focus and close what is open.
  if (list.firstElementChild !== row && !row.contains(document.activeElement)) list.prepend(row);
  $("#no-conversations").hidden = true;
}

function made(id, about) {
  const row = copyOf("a-conversation");
  row.dataset.conversation = id;
  $(".conversation-link", row).href = `/chat/${id}`;
  $(".conversation-link", row).setAttribute("aria-current", "page");
  $(".conversation-about", row).hidden = !about;
  $(".conversation-about bdi", row).textContent = about ?? "";
  $("[data-what=rename]", row).action = `/chat/${id}/rename`;
  $("[data-what=delete]", row).action = `/chat/${id}/delete`;
  list.prepend(row);
  return row;
}

function entitle(row, title) {
  const remove = $("[data-what=delete]", row);
  $(".conversation-title", row).textContent = title;
  $("summary", row).setAttribute("aria-label", `More for ${title}`);
  remove.dataset.confirmWords = `“${title}”, with every question and answer in it, will be gone. Your documents stay. This cannot be undone.`;
  const field = $("[name=title]", row);
  if (document.activeElement !== field) field.value = title;
}

/** Follows what the forms in the rows have done. */
export function follow({ current, renamed }) {
  list.addEventListener("sent", ({ target, detail }) => {
    const row = target.closest(".conversation");
    const id = row.dataset.conversation;
    if (target.dataset.what === "rename") {
      const title = detail.get("title").trim();
      entitle(row, title);
      $("summary", row).focus();
      if (id === current) renamed(title);
      return;
    }
    if (id === current) return location.assign("/chat");
    const next = row.nextElementSibling ?? row.previousElementSibling;
    row.remove();
    $("#no-conversations").hidden = list.children.length > 0;
    (next ? $("a", next) : $("#conversations > a")).focus();
  });
}
