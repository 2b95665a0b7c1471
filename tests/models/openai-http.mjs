// HTTP as OpenAI's clients expect it: JSON in, JSON or an event stream out, errors of OpenAI's shape, an optional key.
//
// In: a table of routes, each a function of the request's JSON and a `Reply`. Out: a server on loopback. Whoever goes away aborts
// `reply.signal`. It must not know any model. openai_http.py is the same for the embedding model.

import { createHash, timingSafeEqual } from 'node:crypto';
import { createServer } from 'node:http';

const MOST_BYTES = 1 << 20;

/** An error that the caller sees. */
export class ApiError extends Error {
  constructor(status, message, { code = null, param = null, type = 'invalid_request_error' } = {}) {
    super(message);
    this.status = status;
    this.body = { error: { message, type, param, code } };
  }
}

/** What a route may do: give one JSON value, or open a stream and send events, each on the wire before the next is made. */
class Reply {
  #response;
  #gone = new AbortController();

  constructor(response) {
    this.#response = response;
    this.signal = this.#gone.signal;
    response.on('close', () => this.#gone.abort());
  }

  get streams() {
    return this.#response.headersSent;
  }

  json(value, status = 200, headers = {}) {
    const data = Buffer.from(JSON.stringify(value));
    this.#response.writeHead(status, { 'Content-Type': 'application/json', 'Content-Length': data.length, ...headers });
    this.#response.end(data);
  }

  open() {
    this.#response.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-cache' });
    this.#response.flushHeaders();
  }

  /** Nothing waits for a slow reader: an answer is no longer than the model's context, so what piles up is bounded. */
  event(value) {
    this.#response.write(`data: ${JSON.stringify(value)}\n\n`);
  }

  done() {
    this.#response.end('data: [DONE]\n\n');
  }

  error(error) {
    if (!(error instanceof ApiError)) {
      console.error('failed:', error);
      error = new ApiError(500, 'the server failed; see its log', { type: 'server_error' });
    }
    if (this.streams) {
      this.event(error.body);
      this.#response.end();
    } else {
      this.json(error.body, error.status, error.status === 429 ? { 'Retry-After': '1' } : {});
    }
  }
}

/** A server that is not listening yet. */
export function server(routes, key) {
  const listener = createServer((request, response) => {
    const started = performance.now();
    const reply = new Reply(response);
    response.on('close', () => {
      if (request.url === '/healthz') return;
      const end = response.writableFinished ? '' : ' (the client went away)';
      console.error(`${request.method} ${request.url} ${response.statusCode} ${Math.round(performance.now() - started)} ms${end}`);
    });
    answer(request, reply, routes, key).catch((error) => {
      if (!reply.signal.aborted) reply.error(error);
    });
  });
  // Clients keep connections for a minute; one that we close first is a failed request of theirs.
  listener.keepAliveTimeout = 120_000;
  return listener;
}

async function answer(request, reply, routes, key) {
  const path = request.url.split('?')[0];
  const methods = Object.hasOwn(routes, path) ? routes[path] : null;
  if (!methods) throw new ApiError(404, `Invalid URL (${request.method} ${path})`, { code: 'unknown_url' });
  const route = Object.hasOwn(methods, request.method) ? methods[request.method] : null;
  if (!route) throw new ApiError(405, `Not allowed to ${request.method} on ${path}`, { code: 'method_not_supported' });
  if (path.startsWith('/v1/')) authorize(request, key);
  await route(reply, request.method === 'GET' ? null : await body(request));
}

function authorize(request, key) {
  if (!key) return;
  const given = (request.headers.authorization ?? '').replace(/^Bearer /, '').trim();
  const sum = (text) => createHash('sha256').update(text).digest();
  if (timingSafeEqual(sum(given), sum(key))) return;
  const message = given ? 'Incorrect API key provided.' : "You didn't provide an API key.";
  throw new ApiError(401, message, { code: 'invalid_api_key' });
}

async function body(request) {
  const parts = [];
  let bytes = 0;
  for await (const part of request) {
    bytes += part.length;
    // What is too long is read to its end all the same, so that the client hears why.
    if (bytes <= MOST_BYTES) parts.push(part);
  }
  if (bytes > MOST_BYTES) throw new ApiError(413, `the body is larger than ${MOST_BYTES} bytes`);
  let value;
  try {
    value = JSON.parse(Buffer.concat(parts).toString());
  } catch {
    throw new ApiError(400, 'We could not parse the JSON body of your request.');
  }
  if (value === null || typeof value !== 'object' || Array.isArray(value)) throw new ApiError(400, 'The body must be a JSON object.');
  return value;
}
