// POST /v1/chat/completions: OpenAI's words around the model's.
//
// In: the request's JSON. Out: one JSON value, or a stream of chunks with a token each. What this server cannot do is refused, not ignored,
// where the answer would be another one. It must not know how the model works.

import { randomBytes } from 'node:crypto';
import { ApiError } from '../openai-http.mjs';
import { Busy, TooLong } from './model.mjs';

const ROLES = new Map([['system', 'system'], ['developer', 'system'], ['user', 'user'], ['assistant', 'assistant']]);
const MOST_STOPS = 4;

export async function completions(model, name, reply, request) {
  const { messages, options, stream, usage: withUsage } = understood(request, name);
  const about = { id: `chatcmpl-${randomBytes(12).toString('hex')}`, created: Math.floor(Date.now() / 1000), model: name };
  const { promptTokens, pieces } = await begun(model, messages, options, reply.signal);
  const usage = (tokens) => ({ prompt_tokens: promptTokens, completion_tokens: tokens, total_tokens: promptTokens + tokens });
  if (!stream) {
    const end = await whole(pieces);
    const message = { role: 'assistant', content: end.text, refusal: null };
    const choice = { index: 0, message, logprobs: null, finish_reason: end.reason };
    return reply.json({ ...about, object: 'chat.completion', choices: [choice], usage: usage(end.tokens) });
  }
  const chunk = (choices, counts = null) =>
    reply.event({ ...about, object: 'chat.completion.chunk', choices, ...(withUsage ? { usage: counts } : {}) });
  const delta = (change, reason = null) => chunk([{ index: 0, delta: change, logprobs: null, finish_reason: reason }]);
  reply.open();
  delta({ role: 'assistant', content: '' });
  const end = await each(pieces, (content) => delta({ content }));
  delta({}, end.reason);
  if (withUsage) chunk([], usage(end.tokens));
  reply.done();
}

async function begun(model, messages, options, signal) {
  try {
    return await model.answer(messages, options, signal);
  } catch (error) {
    if (error instanceof Busy) {
      throw new ApiError(429, 'Too many answers are being written; try again soon.', { code: 'rate_limit_exceeded', type: 'requests' });
    }
    if (error instanceof TooLong) {
      const message = `This model's maximum context length is ${model.context} tokens. However, you asked for ${error.message}.`;
      throw new ApiError(400, message, { code: 'context_length_exceeded', param: 'messages' });
    }
    throw error;
  }
}

/** All pieces as one text, and how it ended. */
export async function whole(pieces) {
  let text = '';
  const end = await each(pieces, (piece) => (text += piece));
  return { ...end, text };
}

/** Hands over each piece as it comes; gives what the generator returned, which `for await` would drop. */
async function each(pieces, use) {
  for (;;) {
    const { done, value } = await pieces.next();
    if (done) return value;
    use(value);
  }
}

function understood(request, name) {
  if (typeof request.model !== 'string') throw bad('you must provide a model parameter', 'model');
  if (request.model !== name) {
    throw new ApiError(404, `The model \`${request.model}\` does not exist; this server has \`${name}\`.`, { code: 'model_not_found', param: 'model' });
  }
  refuse(request);
  const options = {
    most: count(request, 'max_completion_tokens') ?? count(request, 'max_tokens'),
    // Small models wander: what is not said is what this one's authors use.
    temperature: number(request, 'temperature', 0, 2) ?? 0.2,
    topP: number(request, 'top_p', 0, 1) ?? 0.9,
    seed: number(request, 'seed', 0, 2 ** 32 - 1) ?? undefined,
    frequency: number(request, 'frequency_penalty', -2, 2) ?? 0,
    presence: number(request, 'presence_penalty', -2, 2) ?? 0,
    stop: stops(request.stop),
  };
  const usage = request.stream_options?.include_usage === true;
  return { messages: messages(request.messages), options, stream: flag(request, 'stream'), usage };
}

function refuse(request) {
  const unsupported = [
    ['n', (request.n ?? 1) !== 1],
    ['tools', request.tools?.length > 0],
    ['logprobs', request.logprobs === true],
    ['response_format', (request.response_format?.type ?? 'text') !== 'text'],
  ];
  for (const [param, given] of unsupported) {
    if (given) throw bad(`'${param}' is not supported by this server.`, param);
  }
}

function messages(given) {
  if (!Array.isArray(given) || given.length === 0) throw bad("'messages' must be a list, and not empty.", 'messages');
  return given.map((message, index) => {
    const param = `messages[${index}]`;
    const role = ROLES.get(message?.role);
    if (!role) throw bad(`'${param}.role' must be one of ${[...ROLES.keys()].join(', ')}.`, param);
    return { role, content: content(message.content, role, param) };
  });
}

function content(given, role, param) {
  if (typeof given === 'string') return given.toWellFormed();
  if (given == null && role === 'assistant') return '';
  const isText = (part) => part?.type === 'text' && typeof part.text === 'string';
  if (Array.isArray(given) && given.every(isText)) return given.map((part) => part.text.toWellFormed()).join('');
  throw bad(`'${param}.content' must be a text or a list of parts of type 'text'.`, param);
}

function stops(given) {
  const list = given == null ? [] : Array.isArray(given) ? given : [given];
  if (list.length > MOST_STOPS) throw bad(`'stop' may hold at most ${MOST_STOPS} texts.`, 'stop');
  if (!list.every((stop) => typeof stop === 'string' && stop.length > 0)) throw bad("'stop' must be a text or a list of texts, none empty.", 'stop');
  return list;
}

function count(request, name) {
  const value = request[name] ?? null;
  if (value !== null && !(Number.isSafeInteger(value) && value > 0)) throw bad(`'${name}' must be a whole number above 0.`, name);
  return value;
}

function number(request, name, low, high) {
  const value = request[name] ?? null;
  if (value !== null && !(typeof value === 'number' && value >= low && value <= high)) throw bad(`'${name}' must be between ${low} and ${high}.`, name);
  return value;
}

function flag(request, name) {
  const value = request[name] ?? false;
  if (typeof value !== 'boolean') throw bad(`'${name}' must be true or false.`, name);
  return value;
}

function bad(message, param) {
  return new ApiError(400, message, { param });
}
