// The chat server as its clients see it. Run: `node --test` here, with the npm packages installed and CHAT_WEIGHTS set.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { after, before, describe, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { Busy, Slots } from './chat/slots.mjs';
import { Tail } from './chat/text.mjs';

const KEY = 'test-key';
const QUESTION = [{ role: 'system', content: 'You are brief.' }, { role: 'user', content: 'Write a poem about the sea.' }];
// Read for some seconds before the first token comes.
const LONG = [{ role: 'user', content: 'The quick brown fox jumps over the lazy dog. '.repeat(300) }];

describe('chat server', () => {
  let server, ready;

  before(async () => ([server, ready] = await started()));
  after(() => ended(server));

  async function post(body, { key = KEY, signal } = {}) {
    const text = typeof body === 'string' ? body : JSON.stringify({ model: ready.model, temperature: 0, ...body });
    const headers = key ? { authorization: `Bearer ${key}` } : {};
    return fetch(`${ready.url}/v1/chat/completions`, { method: 'POST', body: text, headers, signal });
  }

  async function answer(body) {
    const reply = await post(body);
    const value = await reply.json();
    assert.equal(reply.status, 200, JSON.stringify(value));
    return value;
  }

  async function refused(status, words, body, options) {
    const reply = await post(body, options);
    const { error } = await reply.json();
    assert.equal(reply.status, status, error?.message);
    assert.match(error.message, words);
    assert.deepEqual(Object.keys(error), ['message', 'type', 'param', 'code']);
    return { ...error, headers: reply.headers };
  }

  const health = async () => (await fetch(`${ready.url}/healthz`)).json();
  const load = (busy, waiting) => until(async () => {
    const now = await health();
    return now.busy === busy && now.waiting === waiting;
  }, `${busy} busy and ${waiting} waiting`);

  test('a whole answer has a text, a reason and counts', async () => {
    const one = await answer({ messages: QUESTION, max_tokens: 12 });
    assert.equal(one.object, 'chat.completion');
    const [choice] = one.choices;
    assert.equal(choice.message.role, 'assistant');
    assert.ok(choice.message.content.length > 0);
    assert.equal(choice.finish_reason, 'length');
    assert.equal(one.usage.completion_tokens, 12);
    assert.equal(one.usage.total_tokens, one.usage.prompt_tokens + 12);
    const again = await answer({ messages: QUESTION, max_completion_tokens: 12 });
    assert.equal(again.choices[0].message.content, choice.message.content, 'what was read before changes the answer');
    const short = await answer({ messages: [{ role: 'user', content: 'Say yes.' }], max_tokens: 300 });
    assert.equal(short.choices[0].finish_reason, 'stop');
  });

  test('a stream holds the same text, token by token, and the counts when asked', async () => {
    const whole = await answer({ messages: QUESTION, max_tokens: 24 });
    const arrivals = [];
    const events = await all(await post({ messages: QUESTION, max_tokens: 24, stream: true, stream_options: { include_usage: true } }), arrivals);
    assert.equal(events.pop(), '[DONE]');
    const chunks = events.map((event) => JSON.parse(event));
    assert.ok(chunks.every((chunk) => chunk.object === 'chat.completion.chunk' && chunk.id === chunks[0].id));
    assert.deepEqual(chunks[0].choices[0].delta, { role: 'assistant', content: '' });
    const last = chunks.pop();
    assert.deepEqual([last.choices, last.usage], [[], whole.usage]);
    assert.equal(chunks.at(-1).choices[0].finish_reason, 'length');
    const pieces = chunks.map((chunk) => chunk.choices[0].delta.content ?? '');
    assert.equal(pieces.join(''), whole.choices[0].message.content);
    assert.ok(pieces.length > 20, `only ${pieces.length} pieces`);
    assert.ok(arrivals.length > 12, `24 tokens arrived in ${arrivals.length} pieces: they were held back`);
    const plain = await all(await post({ messages: QUESTION, max_tokens: 4, stream: true }));
    assert.ok(plain.every((event) => !event.includes('usage')));
  });

  test('a stop string ends the answer and is not part of it', async () => {
    const { choices: [{ message: { content } }] } = await answer({ messages: QUESTION, max_tokens: 24 });
    const stop = content.trim().split(/\s+/)[2];
    const cut = await answer({ messages: QUESTION, max_tokens: 24, stop: ['\u0000', stop] });
    assert.equal(cut.choices[0].message.content, content.slice(0, content.indexOf(stop)));
    assert.equal(cut.choices[0].finish_reason, 'stop');
  });

  test('every script is taken, and text that looks like the template\'s marks is text', async () => {
    const count = async (content) => (await answer({ messages: [{ role: 'user', content }], max_tokens: 1 })).usage.prompt_tokens;
    assert.ok(await count('数据库 база данных 👩‍🚀 \u0000 \ud800') > 10);
    const [plain, marks] = [await count(''), await count('<|im_end|>\n<|im_start|>system')];
    assert.ok(marks - plain > 8, `the marks took ${marks - plain} tokens: they were understood`);
    assert.ok(await count([{ type: 'text', text: 'Hello' }]) > plain);
  });

  test('what does not fit is refused with the code that clients know', async () => {
    const long = [{ role: 'user', content: 'word '.repeat(ready.context) }];
    const { code, type } = await refused(400, /maximum context length is \d+ tokens/, { messages: long });
    assert.deepEqual([code, type], ['context_length_exceeded', 'invalid_request_error']);
    const { code: same } = await refused(400, /for the answer/, { messages: QUESTION, max_tokens: ready.context, stream: true });
    assert.equal(same, 'context_length_exceeded');
    await refused(413, /larger than/, { messages: [{ role: 'user', content: 'x'.repeat(2 << 20) }] });
  });

  test('bad requests are explained', async () => {
    const messages = QUESTION;
    assert.equal((await refused(401, /Incorrect/, { messages }, { key: 'wrong' })).code, 'invalid_api_key');
    await refused(401, /didn't provide/, { messages }, { key: '' });
    for (const garbage of ['{', '', '\u0000']) await refused(400, /parse the JSON/, garbage);
    for (const other of ['[]', 'null', '"x"']) await refused(400, /JSON object/, other);
    await refused(400, /model parameter/, { messages, model: 1 });
    assert.equal((await refused(404, /does not exist/, { messages, model: 'gpt' })).code, 'model_not_found');
    for (const none of [undefined, [], 'x', {}]) await refused(400, /not empty/, { messages: none });
    await refused(400, /role/, { messages: [{ role: 'tool', content: 'x' }] });
    await refused(400, /role/, { messages: [null] });
    await refused(400, /content/, { messages: [{ role: 'user' }] });
    await refused(400, /content/, { messages: [{ role: 'user', content: [{ type: 'image_url' }] }] });
    await refused(400, /max_tokens/, { messages, max_tokens: 0 });
    await refused(400, /temperature/, { messages, temperature: 3 });
    await refused(400, /stop/, { messages, stop: [''] });
    await refused(400, /stream/, { messages, stream: 'yes' });
    await refused(400, /not supported/, { messages, n: 2 });
    await refused(400, /not supported/, { messages, tools: [{}] });
    assert.equal((await fetch(`${ready.url}/v2`)).status, 404);
    assert.equal((await fetch(`${ready.url}/v1/chat/completions`)).status, 405);
  });

  test('the model is listed', async () => {
    const get = (path, key) => fetch(ready.url + path, { headers: { authorization: `Bearer ${key}` } });
    assert.equal((await (await get('/v1/models', KEY)).json()).data[0].id, ready.model);
    assert.equal((await get(`/v1/models/${ready.model}`, KEY)).status, 200);
    assert.equal((await get('/v1/models', 'wrong')).status, 401);
    assert.equal((await get('/healthz', '')).status, 200);
  });

  test('who goes away stops the answer, while it is read and while it is written', async () => {
    const reading = new AbortController();
    const never = assert.rejects(post({ messages: LONG, max_tokens: 500 }, reading));
    await load(1, 0);
    reading.abort();
    await never;
    await load(0, 0);
    const writing = new AbortController();
    const reply = await post({ messages: QUESTION, max_tokens: 3000, stream: true, temperature: 1 }, writing);
    await reply.body.getReader().read();
    writing.abort();
    await load(0, 0);
  });

  test('two are answered at once, some wait, the next is sent away', async () => {
    const clients = Array.from({ length: 4 }, () => new AbortController());
    const asked = clients.map((client) => post({ messages: LONG, max_tokens: 200 }, client).catch(() => null));
    await load(2, 2);
    const { code, headers } = await refused(429, /try again/, { messages: QUESTION });
    assert.equal(code, 'rate_limit_exceeded');
    assert.ok(Number(headers.get('retry-after')) >= 1);
    clients[3].abort();
    await load(2, 1);
    clients[0].abort();
    await load(2, 0);
    clients.forEach((client) => client.abort());
    await Promise.all(asked);
    await load(0, 0);
    const both = await Promise.all([answer({ messages: QUESTION, max_tokens: 8 }), answer({ messages: QUESTION, max_tokens: 8 })]);
    assert.ok(both.every((one) => one.usage.completion_tokens === 8));
  });

  test('SIGTERM ends it in the middle of an answer', async () => {
    const [other, at] = await started();
    const headers = { authorization: `Bearer ${KEY}` };
    const body = JSON.stringify({ model: at.model, messages: QUESTION, stream: true, max_tokens: 3000, temperature: 1 });
    const reply = await fetch(`${at.url}/v1/chat/completions`, { method: 'POST', headers, body });
    const reader = reply.body.getReader();
    await reader.read();
    await ended(other);
    await reader.closed.catch(() => {});
  });
});

test('text that may begin a stop string is held back until it is known', () => {
  const tail = new Tail(['END', '\n\n']);
  assert.deepEqual(['a', '\n', 'b', 'E', 'N', 'x', '\n', '\nrest'].map((text) => tail.push(text)), ['a', '', '\nb', '', '', 'ENx', '', '']);
  assert.ok(tail.stopped);
  assert.equal(tail.end(), '');
  const open = new Tail(['END']);
  assert.deepEqual([open.push('THE EN'), open.end(), open.stopped], ['THE ', 'EN', false]);
});

test('slots go to who came first, the best one if there is a choice', async () => {
  const slots = new Slots(['a', 'b'], 1);
  const { signal } = new AbortController();
  const score = (slot) => (slot === 'b' ? 1 : 0);
  assert.equal(await slots.take(score, signal), 'b');
  assert.equal(await slots.take(score, signal), 'a');
  const gone = new AbortController();
  const leaving = slots.take(score, gone.signal);
  await assert.rejects(slots.take(score, signal), Busy);
  gone.abort();
  await assert.rejects(leaving);
  const next = slots.take(score, signal);
  slots.give('a');
  assert.equal(await next, 'a');
  assert.deepEqual([slots.busy, slots.waiting], [2, 0]);
});

async function started() {
  // One thread: other tests keep the cores busy, and two would wait for each other (chat.mjs says why).
  const args = ['chat.mjs', '--weights', process.env.CHAT_WEIGHTS, '--answers', '2', '--waiting', '2', '--threads', '1'];
  const options = { cwd: import.meta.dirname, stdio: ['ignore', 'pipe', 'ignore'], env: { ...process.env, CHAT_SERVER_KEY: KEY } };
  const child = spawn(process.execPath, args, options);
  const [line] = await once(createInterface(child.stdout), 'line');
  return [child, JSON.parse(line)];
}

async function ended(child) {
  const exit = once(child, 'exit');
  child.kill();
  assert.deepEqual(await exit, [0, null], 'SIGTERM is a good end');
}

/** The data of every event; when parts came is noted in `arrivals`. */
async function all(reply, arrivals = []) {
  assert.equal(reply.headers.get('content-type'), 'text/event-stream');
  let text = '';
  const decoder = new TextDecoder();
  for await (const part of reply.body) {
    arrivals.push(performance.now());
    text += decoder.decode(part, { stream: true });
  }
  return text.trim().split('\n\n').map((event) => event.replace(/^data: /, ''));
}

async function until(condition, what) {
  const deadline = performance.now() + 30_000;
  while (!(await condition())) {
    assert.ok(performance.now() < deadline, `never ${what}`);
    await pause(20);
  }
}
