// The chat model: a conversation in, text out as it is made.
//
// In: a GGUF file, messages, options of sampling. Out: pieces of text, then why it ended and how many tokens it took. A few answers are
// made at once, each in a sequence of one shared context, which keeps what it read: a conversation that goes on is read from where it
// differs. It must not know HTTP.

import { randomBytes } from 'node:crypto';
import { Template } from '@huggingface/jinja';
import { getLlama, LlamaLogLevel } from 'node-llama-cpp';
import { Busy, Slots } from './slots.mjs';
import { Tail } from './text.mjs';

// Read at once between two looks at whether anybody still wants the answer, and between two tokens of somebody else's.
const READ_AT_ONCE = 128;

/** The messages and the answer that was asked for do not fit. */
export class TooLong extends Error {}

export { Busy };

export class Model {
  #llama;
  #model;
  #template;
  #slots;
  /** Tokens of messages and answer together. */
  context;

  /** `answers` are made at once, `waiting` more may wait. */
  static async load(file, { context, answers, waiting, threads }) {
    const self = new Model();
    // Nothing is compiled or downloaded here: the prebuilt program is good or the start fails.
    self.#llama = await getLlama({ gpu: false, build: 'never', skipDownload: true, maxThreads: threads, logLevel: LlamaLogLevel.error });
    self.#model = await self.#llama.loadModel({ modelPath: file, gpuLayers: 0 });
    const trained = self.#model.trainContextSize;
    const all = await self.#model.createContext({ contextSize: Math.min(context, trained), sequences: answers, threads });
    self.context = all.contextSize;
    self.#template = new Template(self.#model.fileInfo.metadata.tokenizer.chat_template);
    self.#slots = new Slots(Array.from({ length: answers }, () => all.getSequence()), waiting);
    return self;
  }

  get busy() {
    return this.#slots.busy;
  }

  get waiting() {
    return this.#slots.waiting;
  }

  /** Ends the program's part of it; nothing must be asked afterwards. */
  async close() {
    await this.#llama.dispose();
  }

  /**
   * Waits for its turn, then gives {promptTokens, pieces}; `pieces` must be read to its end or returned. Throws `TooLong`, `Busy`, or the
   * signal's reason.
   */
  async answer(messages, options, signal) {
    const prompt = this.#prompt(messages);
    const most = options.most ?? this.context - prompt.length;
    if (most < 1 || prompt.length + most > this.context) {
      const answer = options.most ? ` and ${options.most} for the answer` : '';
      throw new TooLong(`${prompt.length} tokens of messages${answer}`);
    }
    const same = (sequence) => sequence.compareContextTokens(prompt).firstDifferentIndex;
    const sequence = await this.#slots.take(same, signal);
    return { promptTokens: prompt.length, pieces: this.#pieces(sequence, prompt, most, options, signal) };
  }

  /** The model's own template around the messages. Their text is never read as the template's marks, whatever it holds. */
  #prompt(messages) {
    const fence = randomBytes(12).toString('hex');
    const fenced = messages.map(({ role }, index) => ({ role, content: `${fence}${index}${fence}` }));
    const { bosString, eosString } = this.#model.tokens;
    const text = this.#template.render({ messages: fenced, add_generation_prompt: true, bos_token: bosString, eos_token: eosString });
    return text.split(fence).flatMap((part, at) => {
      const own = at % 2 === 0;
      return this.#model.tokenize(own ? part : messages[Number(part)].content, own);
    });
  }

  async *#pieces(sequence, prompt, most, options, signal) {
    const said = [];
    const tail = new Tail(options.stop);
    let reason = 'stop';
    let pending = [];
    try {
      await this.#read(sequence, prompt, signal);
      for await (const token of sequence.evaluate(prompt.slice(-1), sampling(options, said))) {
        signal.throwIfAborted();
        pending.push(token);
        const text = this.#model.detokenize(pending, false, said);
        said.push(token);
        // A character of several bytes can be spread over tokens; it is sent when it is whole.
        if (!text.endsWith('\ufffd') || said.length === most) {
          pending = [];
          const piece = tail.push(text);
          if (piece) yield piece;
        }
        if (tail.stopped) break;
        if (said.length === most) {
          reason = 'length';
          break;
        }
      }
      const rest = tail.end();
      if (rest) yield rest;
      return { reason, tokens: said.length };
    } finally {
      this.#slots.give(sequence);
    }
  }

  /** Everything but the last token of the prompt, from where it differs from what this sequence has read. */
  async #read(sequence, prompt, signal) {
    await sequence.adaptStateToTokens(prompt.slice(0, -1), false);
    for (let at = sequence.nextTokenIndex; at < prompt.length - 1; at += READ_AT_ONCE) {
      signal.throwIfAborted();
      await sequence.evaluateWithoutGeneratingNewTokens(prompt.slice(at, Math.min(at + READ_AT_ONCE, prompt.length - 1)));
    }
    signal.throwIfAborted();
  }
}

function sampling({ temperature, topP, seed, frequency, presence }, said) {
  const repeatPenalty = { punishTokens: () => said.slice(-256), maxPunishTokens: 256, penalty: 1, frequencyPenalty: frequency, presencePenalty: presence };
  const repeats = frequency > 0 || presence > 0 ? { repeatPenalty } : {};
  return { temperature, topP, seed, ...repeats };
}
