// What a page holds. In: the SDK's classes, where the app is. Out: a chat as useChat would make it, and the requests beside it.
// Nothing of the SDK is changed: the class is abstract in its state only, and this is the smallest state there is.
import assert from "node:assert/strict";
import { setTimeout as pause } from "node:timers/promises";

const PATIENCE = 60_000;

class State {
  status = "ready";
  error = undefined;
  messages = [];
  pushMessage = (message) => { this.messages = [...this.messages, message]; };
  popMessage = () => { this.messages = this.messages.slice(0, -1); };
  replaceMessage = (index, message) => { this.messages = this.messages.with(index, message); };
  snapshot = (thing) => structuredClone(thing);
}

/** A person's page: `sdk` is one version of the package. */
export function page(sdk, base, cookie, documentId) {
  const headers = { cookie };
  const transport = (more) => new sdk.DefaultChatTransport({ api: `${base}/api/chat`, headers, body: { documentId }, ...more });
  class Chat extends sdk.AbstractChat {
    constructor(id, messages = []) {
      const state = new State();
      state.messages = messages;
      const ends = [];
      const errors = [];
      const data = [];
      super({ id, state, transport: transport(), onFinish: (end) => ends.push(end), onError: (error) => errors.push(error), onData: (part) => data.push(part) });
      Object.assign(this, { ends, errors, data });
    }
    /** The text of the answer, as far as it came. */
    get text() { return this.lastMessage?.role === "assistant" ? textOf(this.lastMessage) : ""; }
    ask(text, messageId) { return this.sendMessage({ text, messageId }); }
  }
  const request = async (path, body) => {
    const post = body && { method: "POST", body: JSON.stringify(body), headers: { ...headers, "content-type": "application/json" } };
    return fetch(`${base}${path}`, post ?? { headers });
  };
  return {
    Chat,
    transport,
    request,
    kept: async (id) => {
      const response = await request(`/api/chat/${id}`);
      const body = await response.json();
      assert.equal(response.status, 200, JSON.stringify(body));
      return body;
    },
    stop: async (id) => assert.equal((await request(`/api/chat/${id}/stop`, {})).status, 204),
  };
}

export const textOf = (message) =>
  message.parts.filter((part) => part.type === "text").map((part) => part.text).join("");

/** What both sides must agree on. */
export const essence = (messages) => messages.map((message) => [message.id, message.role, textOf(message)]);

/** Waits for a condition, with a deadline. */
export async function until(what, condition) {
  const end = Date.now() + PATIENCE;
  for (;;) {
    const value = await condition();
    if (value) return value;
    assert.ok(Date.now() < end, `waited in vain: ${what}`);
    await pause(20);
  }
}
