// From pieces of text as a model makes them to pieces that may be sent.
//
// In: text, and the strings at which it must end. Out: text that surely belongs to the answer; what may be the start of a stop string
// is held back until it is known. It must not know tokens.

export class Tail {
  #stops;
  #held = '';
  /** Whether a stop string was met. */
  stopped = false;

  constructor(stops) {
    this.#stops = stops;
  }

  /** What may be sent now. */
  push(text) {
    this.#held += text;
    const found = this.#stops.map((stop) => this.#held.indexOf(stop)).filter((at) => at >= 0);
    if (found.length > 0) {
      this.stopped = true;
      return this.#release(Math.min(...found));
    }
    let keep = 0;
    for (const stop of this.#stops) {
      for (let length = Math.min(stop.length - 1, this.#held.length); length > keep; length--) {
        if (this.#held.endsWith(stop.slice(0, length))) keep = length;
      }
    }
    return this.#release(this.#held.length - keep);
  }

  /** The rest, once nothing more comes. */
  end() {
    return this.stopped ? '' : this.#release(this.#held.length);
  }

  #release(length) {
    const text = this.#held.slice(0, length);
    this.#held = this.#held.slice(length);
    return text;
  }
}
