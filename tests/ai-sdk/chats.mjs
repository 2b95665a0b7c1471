// The class under useChat, as a page drives it. In: a page. Out: nothing, or an assertion that failed: after every act the client and the
// app must hold the same conversation, and the client must be ready for the next.
import assert from "node:assert/strict";

import { essence, textOf, until } from "./page.mjs";

export const TUFTS = "Which animal has black tufts on its ears?";
const PAYMENT = "When is the payment of the invoice due?";
const SLOWLY = `${TUFTS} Tell it slowly.`;
const BREAK = `${TUFTS} And break off.`;
const ELSEWHERE = "Who won the chess championship of 1972 in Reykjavik?";
const WORDS = 40;

async function agree(page, chat) {
  assert.equal(chat.status, "ready", String(chat.error));
  assert.deepEqual(essence(chat.messages), essence((await page.kept(chat.id)).messages));
}

const settled = (page, id) => until("the answer has ended", async () => {
  const kept = await page.kept(id);
  return kept.answering ? undefined : kept;
});

export async function submitRegenerateEdit(_sdk, page, id) {
  const chat = new page.Chat(id);
  await chat.ask(TUFTS);
  await agree(page, chat);
  assert.ok(chat.text.includes("[1]") && chat.data.some((part) => part.type === "data-status"));
  assert.equal(chat.lastMessage.metadata.chatId, id);
  const [end] = chat.ends;
  assert.deepEqual([end.isAbort, end.isDisconnect, end.isError, end.finishReason], [false, false, false, "stop"]);
  await chat.ask(PAYMENT);
  await agree(page, chat);
  assert.equal(chat.messages.length, 4);

  await chat.regenerate();
  await agree(page, chat);
  assert.equal(chat.messages.length, 4);
  await chat.regenerate({ messageId: chat.messages[1].id });
  await agree(page, chat);
  assert.equal(chat.messages.length, 2);

  const first = chat.messages[0].id;
  await chat.ask(PAYMENT, first);
  await agree(page, chat);
  assert.deepEqual([chat.messages.length, chat.messages[0].id, textOf(chat.messages[0])], [2, first, PAYMENT]);
  assert.equal(chat.errors.length, 0);
}

export async function stopHereAndThere(_sdk, page, id) {
  // The page closes its connection and tells the app.
  const chat = new page.Chat(id);
  let running = chat.ask(SLOWLY);
  await until("there is text", () => chat.text !== "");
  await chat.stop();
  await page.stop(id);
  await running;
  let kept = await settled(page, id);
  assert.equal(kept.messages.at(-1).metadata.state, "stopped");
  assert.equal(chat.status, "ready");
  assert.ok(textOf(kept.messages.at(-1)).startsWith(chat.text.trimEnd()));
  // Another page tells the app, and this one hears of it.
  running = chat.ask(SLOWLY);
  await until("there is text", () => chat.messages.length === 4 && chat.text !== "");
  await page.stop(id);
  await running;
  assert.equal(chat.status, "ready");
  kept = await settled(page, id);
  assert.equal(textOf(kept.messages.at(-1)), chat.text);
  assert.equal(kept.messages.at(-1).metadata.state, "stopped");
  await chat.ask(TUFTS);
  assert.equal(chat.status, "ready");
  assert.ok(chat.text.includes("[1]"));
}

export async function resume(_sdk, page, id) {
  const before = new page.Chat(id);
  const running = before.ask(SLOWLY);
  await until("there is text", () => before.text !== "");
  const messageId = before.lastMessage.id;
  // The page is closed in the middle, and opened again.
  await before.stop();
  await running;
  const kept = await page.kept(id);
  assert.equal(kept.answering, true);
  const after = new page.Chat(id, kept.messages);
  await after.resumeStream();
  await agree(page, after);
  assert.deepEqual([after.messages.length, after.lastMessage.id], [2, messageId]);
  assert.equal(after.text.match(/word\d+/g).length, WORDS, after.text);
  assert.equal(after.lastMessage.parts.filter((part) => part.type === "text").length, 1);
  // Nothing runs any more: 204, and that is no error.
  await after.resumeStream();
  await agree(page, after);
  assert.equal(after.errors.length, 0);
}

export async function errors(_sdk, page, id) {
  const chat = new page.Chat(id);
  await chat.ask(BREAK);
  assert.equal(chat.status, "error");
  assert.ok(chat.error.message.length > 10, chat.error.message);
  assert.deepEqual([chat.errors.length, chat.text.trim()], [1, "Half an answer"]);
  const kept = await settled(page, id);
  assert.equal(kept.messages.at(-1).metadata.state, "failed");
  chat.clearError();
  await chat.ask(TUFTS);
  await agree(page, chat);
  // A second page of the same conversation has to wait.
  const running = chat.ask(SLOWLY);
  await until("there is text", () => chat.messages.length === 6 && chat.text !== "");
  const other = new page.Chat(id);
  await other.ask(PAYMENT);
  assert.equal(other.status, "error");
  assert.match(other.error.message, /answer/i);
  await running;
  await agree(page, chat);
}

export async function tooMany(_sdk, page, id) {
  const chat = new page.Chat(id);
  for (let count = 0; count < 200 && chat.status !== "error"; count++) {
    await chat.ask(ELSEWHERE);
  }
  assert.equal(chat.status, "error");
  assert.match(chat.error.message, /Try again in \d+ seconds/);
  assert.ok(chat.error.statusCode === undefined || chat.error.statusCode === 429);
}
