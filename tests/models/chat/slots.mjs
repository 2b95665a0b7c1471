// Who may use the model now: a few at once, a few more wait, the others are sent away.
//
// In: the slots, how many may wait. Out: `take` gives a slot and `give` returns it. It must not know what a slot is for.

/** More wait already than can be served in a reasonable time. */
export class Busy extends Error {}

export class Slots {
  #idle;
  #line = [];
  #mostWaiting;
  #all;

  constructor(slots, mostWaiting) {
    this.#all = slots.length;
    this.#idle = [...slots];
    this.#mostWaiting = mostWaiting;
  }

  get busy() {
    return this.#all - this.#idle.length;
  }

  get waiting() {
    return this.#line.length;
  }

  /** A slot, the one of the highest `score` if several are idle; rejects with `Busy`, or with the signal's reason. */
  async take(score, signal) {
    signal.throwIfAborted();
    if (this.#idle.length > 0) {
      const scores = this.#idle.map(score);
      return this.#idle.splice(scores.indexOf(Math.max(...scores)), 1)[0];
    }
    if (this.#line.length >= this.#mostWaiting) throw new Busy();
    return new Promise((resolve, reject) => {
      const leave = () => {
        this.#line = this.#line.filter((other) => other !== next);
        reject(signal.reason);
      };
      const next = (slot) => {
        signal.removeEventListener('abort', leave);
        resolve(slot);
      };
      signal.addEventListener('abort', leave, { once: true });
      this.#line.push(next);
    });
  }

  give(slot) {
    const next = this.#line.shift();
    if (next) next(slot);
    else this.#idle.push(slot);
  }
}
