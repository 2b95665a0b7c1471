// One answer, byte by byte. In: a page, a question. Out: nothing, or an assertion that failed: headers, every event against the SDK's own
// schema, the order of the chunks, and the message that the SDK makes of them, which it must accept again as history.
import assert from "node:assert/strict";

import { textOf } from "./page.mjs";

/** A fetch that keeps what it saw. */
function watched() {
  const seen = {};
  const watch = async (...request) => {
    const response = await fetch(...request);
    seen.status = response.status;
    seen.headers = response.headers;
    const [mine, theirs] = response.body.tee();
    seen.text = new Response(mine).text();
    return new Response(theirs, response);
  };
  return [watch, seen];
}

async function validate(sdk, text) {
  const events = text.split("\n\n").filter((event) => event !== "" && !event.startsWith(":"));
  assert.equal(events.pop(), "data: [DONE]", text);
  const schema = sdk.uiMessageChunkSchema();
  const chunks = [];
  for (const event of events) {
    assert.ok(event.startsWith("data: "), event);
    const chunk = JSON.parse(event.slice("data: ".length));
    const { success, error } = await schema.validate(chunk);
    assert.ok(success, `${event}: ${error}`);
    chunks.push(chunk);
  }
  return chunks;
}

export async function answer(sdk, page, chatId, question) {
  const [watch, seen] = watched();
  const user = { id: sdk.generateId(), role: "user", parts: [{ type: "text", text: question }] };
  const stream = await page.transport({ fetch: watch }).sendMessages({ chatId, messages: [user], trigger: "submit-message" });
  let message;
  for await (const state of sdk.readUIMessageStream({ stream, terminateOnError: true })) message = state;

  assert.equal(seen.status, 200);
  assert.match(seen.headers.get("content-type"), /^text\/event-stream/);
  assert.equal(seen.headers.get("x-vercel-ai-ui-message-stream"), "v1");
  assert.equal(seen.headers.get("content-encoding"), null);
  const chunks = await validate(sdk, await seen.text);
  const types = chunks.map((chunk) => chunk.type);
  assert.equal(types[0], "start");
  assert.ok(chunks[0].messageId);
  assert.equal(types.at(-1), "finish");
  assert.equal(chunks.at(-1).finishReason, "stop");
  assert.ok(types.indexOf("text-start") > types.lastIndexOf("source-document"), types.join());

  assert.equal(message.id, chunks[0].messageId);
  const sources = message.parts.filter((part) => part.type === "source-document");
  const citations = message.parts.filter((part) => part.type === "data-citation");
  assert.ok(sources.length > 0 && sources.length === citations.length);
  const numbers = [...textOf(message).matchAll(/\[(\d+)\]/g)].map((match) => Number(match[1]));
  assert.ok(numbers.length > 0, textOf(message));
  for (const n of numbers) assert.ok(sources.some((source) => source.providerMetadata.tenantry.n === n), `[${n}]`);
  // Passing words are for onData and are not part of the message.
  assert.ok(types.includes("data-status") && !message.parts.some((part) => part.type === "data-status"));

  const kept = await page.kept(chatId);
  for (const messages of [[user, message], kept.messages]) {
    const { success, error } = await sdk.safeValidateUIMessages({ messages });
    assert.ok(success, String(error));
  }
  const last = kept.messages.at(-1);
  assert.deepEqual([last.id, textOf(last)], [message.id, textOf(message)]);
  const lasting = (all) => all.filter((part) => ["source-document", "data-citation", "data-note"].includes(part.type));
  assert.deepEqual(lasting(last.parts), lasting(message.parts));
}
