// The chat: a question is sent, its answer is shown as it comes, and neither is lost.
//
// In: the page, the stored messages, the stream of an answer. Out: messages on the page, and requests to the API. One turn at a time: it is
// begun by a question, a changed question or "answer again", and ends with the answer, a refusal or a stop. A connection that breaks ends
// nothing: the server goes on, and the answer is picked up again from its stream.

import * as beside from "./chat/beside.js";
import * as list from "./chat/list.js";
import { Answer, Question, rest } from "./chat/messages.js";
import { $, $$, FETCH, announce, newId, toSignIn } from "./chat/page.js";
import { chunksOf, grow, questionOf, refusalOf } from "./chat/stream.js";

const root = $("#chat");
const id = root?.dataset.chat;
const api = `/api/chat/${id}`;
/** How often a lost connection is sought again, and how long between, in milliseconds. */
const TRIES = 7;
const PAUSE = (attempt) => Math.min(500 * 2 ** attempt, 8000) * (0.75 + Math.random() / 2);
/** A stop that the server does not confirm within this time is over for the page. */
const STOP_PATIENCE = 4000;

const [log, messages, field, composer] = [$("#log"), $("#messages"), $("#question"), $("#composer")];
/** Questions and answers in order. */
let shown = [];
/** The answer that is on its way. */
let turn = null;
/** Whether the server knows this conversation. */
let known = root?.dataset.new === "false";

const does = { open: beside.open, regenerate, resting: () => turn === null };

// --- The page around a turn --------------------------------------------------------------------------------------

/** Whether the reader is at the end, so that the page moves with what comes. */
let following = true;
const distance = () => log.scrollHeight - log.scrollTop - log.clientHeight;

function toEnd() {
  following = true;
  log.scrollTop = log.scrollHeight;
}

function add(each) {
  $("#welcome")?.remove();
  shown.push(each);
  messages.append(each.element);
}

function busy(on) {
  $("#send").hidden = on;
  $("#stop").hidden = !on;
  $("#stop").disabled = false;
  root.classList.toggle("busy", on);
  rest(root, !on);
}

function entitle(title) {
  $("#chat-title").textContent = title;
  document.title = `${title} · Tenantry`;
}

/** The first question makes the conversation: it gets its address, its place in the list, and its scope is settled. */
function found(words) {
  known = true;
  history.replaceState(history.state, "", `/chat/${id}`);
  const choice = $("#scope-choice");
  const about = choice && $("#scope").value !== "" ? $("#scope").selectedOptions[0].textContent : null;
  if (choice) {
    $("#scope-words bdi").textContent = about ?? "All documents";
    $("#scope-words").hidden = false;
    choice.remove();
  }
  list.upsert({ id, title: words.length > 60 ? `${words.slice(0, 59)}…` : words, about });
}

// --- A turn ------------------------------------------------------------------------------------------------------

/** Asks for an answer. `body` is what the server is told beside the conversation; `hides` is what it replaces, once it begins; `question`
    is what the server learns by it. */
async function ask(body, { hides = [], question } = {}) {
  const answer = new Answer(id, does);
  add(answer);
  await post({ answer, question, body, hides, control: new AbortController(), begun: false });
}

async function post(mine) {
  turn = mine;
  busy(true);
  mine.hides.forEach(({ element }) => (element.hidden = true));
  toEnd();
  mine.answer.problem(null);
  mine.answer.status("Sending your question…");
  let response;
  try {
    response = await fetch("/api/chat", {
      method: "POST",
      headers: { ...FETCH, "content-type": "application/json" },
      body: JSON.stringify({ id, ...mine.body }),
      signal: mine.control.signal,
    });
  } catch {
    return mine.stopping ? halted(mine) : unsure(mine);
  }
  if (response.status === 401) return toSignIn();
  if (!response.ok) return refused(mine, await refusalOf(response));
  await follow(mine, response);
}

/** Nothing began: the old answer comes back, and what went wrong stands where the new one would. */
function refused(mine, { words, wait }) {
  mine.hides.filter((each) => each instanceof Answer && mine.body.trigger === "regenerate-message").forEach(({ element }) => (element.hidden = false));
  mine.answer.problem({ words, wait, again: () => post(mine) });
  finish();
  announce(words);
}

/** Stopped before the server said anything. */
function halted({ answer }) {
  answer.data.metadata.state = "stopped";
  answer.whole();
  finish();
}

/** Nobody knows whether the question arrived: it is not asked twice. */
function unsure(mine) {
  const words = "The server cannot be reached. Check your connection and try again.";
  const again = async () => {
    const stored = await fetch(api, { headers: FETCH }).catch(() => null);
    const arrived = stored?.ok && (await stored.json()).messages.some((message) => message.id === mine.body.message.id);
    if (arrived && mine.body.trigger === "submit-message" && !mine.body.messageId) return reload();
    return post({ ...mine, control: new AbortController() });
  };
  mine.answer.problem({ words, again });
  finish();
  announce(words);
}

/** Reads a stream to its end. When it breaks off before, the answer is sought again. */
async function follow(mine, response) {
  const { answer } = mine;
  answer.restart();
  try {
    for await (const chunk of chunksOf(response.body)) {
      if (turn !== mine) return;
      if (!mine.begun) begin(mine);
      grow(answer.data, chunk);
      learn(chunk);
      if (answer.data.ended) break;
      answer.more();
    }
  } catch (error) {
    if (turn !== mine) return;
    console.warn("The stream broke off", error);
  }
  if (turn !== mine) return;
  if (!answer.data.ended) return seek(mine);
  answer.whole({ aloud: true });
  finish();
}

function begin(mine) {
  mine.begun = true;
  // A stop that came before the question was known there stopped nothing.
  if (mine.stopping) fetch(`${api}/stop`, { method: "POST", headers: FETCH }).catch(() => {});
  if (mine.question) mine.question.stored = true;
  mine.hides.forEach((each) => {
    each.element.remove();
    shown = shown.filter((other) => other !== each);
  });
  if (!known) found(questionOf(mine.body.message));
  else list.upsert({ id });
}

/** The server names the conversation. */
function learn({ messageMetadata }) {
  if (!messageMetadata?.title) return;
  entitle(messageMetadata.title);
  list.upsert({ id, title: messageMetadata.title });
}

/** The answer goes on without us: picks it up again, from its start. */
async function seek(mine) {
  for (let attempt = 0; attempt < TRIES; attempt += 1) {
    const response = await fetch(`${api}/stream`, { headers: FETCH, signal: mine.control.signal }).catch(() => null);
    if (turn !== mine) return;
    if (response?.status === 401) return toSignIn();
    if (response?.status === 204 || response?.status === 404) return reload(mine.resumed);
    if (response?.ok) return follow(mine, response);
    mine.answer.status("The connection is lost. Trying again…");
    await pause(PAUSE(attempt));
    if (turn !== mine) return;
  }
  const words = "The server cannot be reached. Try again in a moment: if your question came there, its answer will be here.";
  mine.answer.problem({ words, again: () => reload() });
  finish();
  announce(words);
}

/** Waits, but no longer than until the network is back. */
function pause(time) {
  return new Promise((done) => {
    const timer = setTimeout(done, time);
    addEventListener("online", () => (clearTimeout(timer), done()), { once: true });
  });
}

function finish() {
  turn = null;
  busy(false);
}

async function stop() {
  const mine = turn;
  if (!mine || mine.stopping) return;
  mine.stopping = true;
  $("#stop").disabled = true;
  field.focus();
  // The server ends the stream by itself.
  const stopped = await fetch(`${api}/stop`, { method: "POST", headers: FETCH }).catch(() => null);
  if (stopped?.status === 401) return toSignIn();
  setTimeout(() => {
    if (turn !== mine) return;
    mine.control.abort();
    if (mine.begun) reload();
  }, STOP_PATIENCE);
}

// --- What begins a turn ------------------------------------------------------------------------------------------

const userMessage = (messageId, words) => ({ id: messageId, role: "user", parts: [{ type: "text", text: words }] });

function submit(words) {
  const question = new Question(newId(), words, { send: change });
  add(question);
  const documentId = known ? null : $("#scope")?.value || null;
  const message = userMessage(question.id, words);
  // A lone message tells that nothing was said before.
  const said = known ? { message } : { message, messages: [message] };
  ask({ trigger: "submit-message", ...said, documentId }, { question });
}

/** A changed question replaces itself and all that came after it. */
function change(question, words) {
  if (turn || tooLong(words)) return false;
  question.words = words;
  const after = shown.slice(shown.indexOf(question) + 1);
  // One that was refused is not there to be replaced.
  const replaces = question.stored && { messageId: question.id };
  ask({ trigger: "submit-message", message: userMessage(question.id, words), ...replaces }, { hides: after, question });
  field.focus();
  return true;
}

/** Answers again: that answer and all that came after it are replaced. */
function regenerate(answer) {
  if (turn) return;
  const at = shown.indexOf(answer);
  const question = shown.slice(0, at).findLast((each) => each instanceof Question);
  if (!question) return;
  const message = userMessage(question.id, question.words);
  ask({ trigger: "regenerate-message", message, ...(answer.data.id && { messageId: answer.data.id }) }, { hides: shown.slice(at) });
  field.focus();
}

// --- Stored messages ---------------------------------------------------------------------------------------------

/** Shows the conversation as the server has it, and goes on with an answer that is on its way. */
async function reload(resumed = 0) {
  finish();
  const response = await fetch(api, { headers: FETCH }).catch(() => null);
  if (response?.status === 401) return toSignIn();
  if (!response?.ok) return unread(response);
  const chat = await response.json();
  $$(".message, .unread", messages).forEach((element) => element.remove());
  shown = [];
  entitle(chat.title ?? "New conversation");
  const stored = [...chat.messages];
  // An answer that is said to be on its way and has no stream, again and again, is not.
  const coming = chat.answering && resumed < 3;
  if (coming && stored.at(-1)?.role === "assistant") stored.pop();
  for (const message of stored) {
    if (message.role === "user") add(Object.assign(new Question(message.id, questionOf(message), { send: change }), { stored: true }));
    else add(Answer.stored(id, message, does));
  }
  toEnd();
  if (coming) resume(resumed + 1);
}

/** The answer that was on its way when the page was opened. */
function resume(resumed) {
  const answer = new Answer(id, does);
  add(answer);
  turn = { answer, body: { message: { parts: [] } }, hides: [], control: new AbortController(), begun: false, resumed };
  busy(true);
  answer.status("Picking up the answer…");
  seek(turn);
}

async function unread(response) {
  const box = $$(".unread", messages)[0] ?? messages.appendChild(document.createElement("div"));
  const [words, again] = [document.createElement("p"), document.createElement("button")];
  box.className = "callout bad unread";
  box.setAttribute("role", "alert");
  words.textContent = response ? (await refusalOf(response)).words : "The conversation cannot be fetched. Check your connection and try again.";
  again.className = "button small quiet";
  again.textContent = "Try again";
  again.addEventListener("click", () => reload());
  box.replaceChildren(words, again);
}

// --- The field ---------------------------------------------------------------------------------------------------

const LONGEST = Number(root?.dataset.longest);
const lengthOf = (words) => [...words].length;

/** Says so, near the end of what fits, and beyond it. */
function tooLong(words) {
  const left = LONGEST - lengthOf(words);
  $("#left").textContent = left < 0 ? `${-left} ${left === -1 ? "character" : "characters"} too many` : left <= LONGEST / 10 ? `${left} ${left === 1 ? "character" : "characters"} left` : "";
  composer.classList.toggle("too-long", left < 0);
  return left < 0;
}

function typed() {
  tooLong(field.value.trim());
  if (CSS.supports("field-sizing", "content")) return;
  field.style.height = "auto";
  field.style.height = `${field.scrollHeight + 2}px`;
}

function listen() {
  field.addEventListener("input", typed);
  field.addEventListener("keydown", (event) => {
    // Enter also ends the choice of a word in Chinese or Japanese.
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    composer.requestSubmit();
  });
  composer.addEventListener("submit", (event) => {
    event.preventDefault();
    const words = field.value.trim();
    field.focus();
    if (words === "" || tooLong(words)) return;
    if (turn) return announce("Wait for the answer, or stop it first.");
    field.value = "";
    typed();
    submit(words);
  });
  $("#stop").addEventListener("click", stop);
  for (const sample of $$("[data-sample]")) {
    sample.addEventListener("click", () => {
      field.focus();
      if (!turn) submit(sample.textContent);
    });
  }
  $("#scope")?.addEventListener("change", ({ target }) => (root.dataset.document = target.value));
  log.addEventListener("scroll", () => {
    following = distance() < 48;
    $("#to-end").hidden = following || distance() < log.clientHeight / 2;
  }, { passive: true });
  $("#to-end").addEventListener("click", () => (toEnd(), field.focus()));
  const grows = new ResizeObserver(() => following && toEnd());
  [log, messages].forEach((element) => grows.observe(element));
  // A page that comes back from the browser's own memory may be old.
  addEventListener("pageshow", (event) => event.persisted && known && !turn && reload());
}

/** Nothing can be asked yet: looks again when something becomes ready. */
function wait() {
  const ready = () => location.reload();
  const panel = $("#panel");
  if (panel) return new MutationObserver(() => $("[data-ready=true]", panel) && ready()).observe(panel, { subtree: true, childList: true, attributes: true });
  const news = new EventSource("/events");
  news.addEventListener("documents", ({ data }) => new DOMParser().parseFromString(data, "text/html").querySelector(".doc[data-stage=ready]") && ready());
  addEventListener("pagehide", () => news.close());
}

if (root) {
  beside.begin();
  list.follow({ current: id, renamed: entitle });
  listen();
  if (known) reload();
  if (root.dataset.matter === "ready" && matchMedia("(hover: hover)").matches) field.focus();
}
if (!root || root.dataset.matter === "coming") wait();
