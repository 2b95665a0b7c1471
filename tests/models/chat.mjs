// An OpenAI-compatible chat server with a small real model, for demonstrations and tests on one machine.
//
// In: a GGUF file, POST /v1/chat/completions. Out: answers, whole or token by token, as OpenAI's API gives them. It says
// {"url": …, "model": …, "context": …} in one line when it is ready, and ends at SIGTERM; `--self-test` asks the model one easy question
// and ends. No GPU and no network is used.

import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { completions, whole } from './chat/completions.mjs';
import { Model } from './chat/model.mjs';
import { server } from './openai-http.mjs';

const NAME = 'SmolLM2-135M-Instruct';
const ABOUT = { id: NAME, object: 'model', created: 1738800000, owned_by: 'HuggingFaceTB' };
const HELP = `node chat.mjs --weights FILE.gguf [--host 127.0.0.1] [--port 0] [--context 4096] [--answers 2] [--waiting 8] [--threads 2] [--self-test]
--port 0 takes a free one; --context is tokens of messages and answer together; --answers are written at once, --waiting more wait,
the others get a 429. CHAT_SERVER_KEY is the key that clients must show; without it, none is asked for.`;

const { values: args } = parseArgs({
  options: {
    weights: { type: 'string' },
    host: { type: 'string', default: '127.0.0.1' },
    port: { type: 'string', default: '0' },
    context: { type: 'string', default: '4096' },
    answers: { type: 'string', default: '2' },
    waiting: { type: 'string', default: '8' },
    threads: { type: 'string', default: '2' },
    'self-test': { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});
if (args.help || !args.weights) {
  console.error(HELP);
  process.exit(args.help ? 0 : 2);
}
const [context, answers, waiting, asked] = ['context', 'answers', 'waiting', 'threads'].map((name) => Number(args[name]));
// Threads wait for each other by spinning. With more of them than idle cores each token takes many times as long; the self-test runs
// during installations, when no core is idle.
const threads = args['self-test'] ? 1 : Math.min(asked, availableParallelism());
const model = await Model.load(args.weights, { context, answers, waiting, threads });
if (args['self-test']) {
  const passed = await selfTest();
  await model.close();
  process.exit(passed ? 0 : 1);
}
// The first answer of a process takes a second longer than the others.
await ask([{ role: 'user', content: 'Hello' }], 1);
const routes = {
  '/v1/chat/completions': { POST: (reply, request) => completions(model, NAME, reply, request) },
  '/v1/models': { GET: (reply) => reply.json({ object: 'list', data: [ABOUT] }) },
  [`/v1/models/${NAME}`]: { GET: (reply) => reply.json(ABOUT) },
  '/healthz': { GET: (reply) => reply.json({ status: 'ok', busy: model.busy, waiting: model.waiting }) },
};
const listener = server(routes, process.env.CHAT_SERVER_KEY);
await new Promise((done, failed) => listener.once('error', failed).listen(Number(args.port), args.host, done));
for (const signal of ['SIGTERM', 'SIGINT']) process.once(signal, end);
console.log(JSON.stringify({ url: `http://${args.host}:${listener.address().port}`, model: NAME, context: model.context }));

/** Answers in the making end with their connections. */
async function end() {
  listener.close();
  listener.closeAllConnections();
  const deadline = setTimeout(() => process.exit(0), 3000);
  await model.close();
  clearTimeout(deadline);
  process.exit(0);
}

async function selfTest() {
  const text = 'The office opens at nine o\'clock. The canteen is on the third floor. Dogs are welcome on Fridays.';
  const { text: said, reason, tokens } = await ask([
    { role: 'system', content: 'Answer from the text only.' },
    { role: 'user', content: `Text: ${text}\n\nQuestion: When does the office open?` },
  ], 48);
  console.log(`${said}\n(${reason}, ${tokens} tokens)`);
  return said.trim().length > 0 && ['stop', 'length'].includes(reason);
}

async function ask(messages, most) {
  const { pieces } = await model.answer(messages, { most, temperature: 0, stop: [] }, new AbortController().signal);
  return whole(pieces);
}
