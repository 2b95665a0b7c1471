// The answer as it comes: bytes to chunks, chunks to a message.
//
// In: the body of an answer of the server (UI message stream v1, one `data:` line with JSON per event), cut by the network wherever it
// likes. Out: chunks in order, and a message that grows by them. A stored message becomes the same shape. No element of the page is
// known here.

/** A stream that says nothing for so long has died without a word: the server sends a comment every ten seconds. */
const SILENCE = 35_000;

/** The chunks of a body. Ends at [DONE] or when the body ends; throws when the connection breaks. */
export async function* chunksOf(body) {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let [rest, data] = ["", []];
  try {
    for (;;) {
      const { done, value } = await withinSilence(reader);
      if (done) return;
      rest += decoder.decode(value, { stream: true });
      const lines = rest.split("\n");
      rest = lines.pop();
      for (const raw of lines) {
        const line = raw.endsWith("\r") ? raw.slice(0, -1) : raw;
        if (line.startsWith("data:")) data.push(line.slice(5).trimStart());
        if (line !== "" || data.length === 0) continue;
        const event = data.join("\n");
        data = [];
        if (event === "[DONE]") return;
        yield JSON.parse(event);
      }
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

function withinSilence(reader) {
  let timer;
  const silence = new Promise((_, failed) => (timer = setTimeout(() => failed(new Error("the stream went silent")), SILENCE)));
  return Promise.race([reader.read(), silence]).finally(() => clearTimeout(timer));
}

/** An answer that nothing is known of yet. */
export const emptyAnswer = () => ({ id: null, text: "", sources: new Map(), note: null, metadata: {}, status: null, ended: null });

/** Lets an answer grow by a chunk. `ended` becomes finish, error or abort with the last one. */
export function grow(answer, chunk) {
  Object.assign(answer.metadata, chunk.messageMetadata);
  switch (chunk.type) {
    case "start":
      answer.id = chunk.messageId ?? answer.id;
      break;
    case "data-status":
      answer.status = chunk.data.words;
      break;
    case "text-delta":
      answer.text += chunk.delta;
      break;
    case "error":
      answer.ended = "error";
      answer.metadata = { ...answer.metadata, state: "failed", words: chunk.errorText };
      break;
    case "abort":
      answer.ended = "abort";
      answer.metadata = { ...answer.metadata, state: "stopped" };
      break;
    case "finish":
      answer.ended = "finish";
      answer.metadata = { ...answer.metadata, state: "done" };
      break;
    default:
      take(answer, chunk);
  }
}

/** The pieces that look the same in a stream and in a stored message. */
function take(answer, { type, data }) {
  if (type === "data-citation" && Number.isInteger(data.n)) answer.sources.set(data.n, data);
  if (type === "data-note") answer.note = data.words;
}

/** A stored answer. */
export function answerOf({ id, metadata, parts }) {
  const answer = { ...emptyAnswer(), id, metadata: metadata ?? {} };
  for (const part of parts ?? []) {
    if (part.type === "text") answer.text += part.text;
    else take(answer, part);
  }
  return answer;
}

/** The words of a stored question. */
export const questionOf = ({ parts }) => (parts ?? []).filter(({ type }) => type === "text").map(({ text }) => text).join("\n");

/** The words of a refusal, and the seconds to wait where it names them. */
export async function refusalOf(response) {
  const body = await response.json().catch(() => null);
  const wait = Number(response.headers.get("retry-after"));
  return {
    code: body?.error ?? null,
    words: body?.message ?? `The server did not take the question (${response.status}). Try again in a moment.`,
    wait: Number.isFinite(wait) && wait > 0 ? Math.min(Math.ceil(wait), 3600) : 0,
  };
}
