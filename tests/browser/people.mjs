// People who walk through the app in a real browser, all at once.
//
// In: the steps in their order, and what the command line wishes. Out: a line per step, every problem of every page, an honest exit code.
// What a step does is none of its business.

import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { chromium } from 'playwright-core';
import { Watch } from './watch.mjs';

/** What every walk can be told. */
const KNOWN = ['users', 'pdfs', 'screenshots', 'browser', 'patience', 'keepAccount', 'provider'];

/** Reads `<base-url> [json]`; `more` are wishes of this walk beside the common ones, with what they are when left out. */
export function wishesOf(name, more = {}) {
  const [base, json = '{}'] = process.argv.slice(2);
  if (!base) {
    console.error(`usage: node ${name} <base-url> [json]`);
    process.exit(2);
  }
  const wishes = { users: ['Ada', 'Grace'].map((user) => `${user} ${process.pid}`), patience: 90, ...more, ...JSON.parse(json) };
  const known = [...KNOWN, ...Object.keys(more)];
  const unknown = Object.keys(wishes).filter((wish) => !known.includes(wish));
  if (unknown.length) throw new Error(`unknown: ${unknown}; there are ${known}`);
  return { ...wishes, base: base.replace(/\/$/, '') };
}

/** Takes everybody all the way and ends the process. `what` is what the walk is called, `lonely` the steps that need somebody else. */
export async function everybody({ what, way, steps, wishes, pdfs, lonely }) {
  const browser = await chromium.launch({ executablePath: wishes.browser ?? program(), args: process.getuid() === 0 ? ['--no-sandbox'] : [] });
  const visits = await Promise.all(wishes.users.map((user, index) => visit(browser, user, index, wishes, pdfs)));
  // Each tries to reach what is the next one's.
  visits.forEach((it, index) => (it.other = visits[(index + 1) % visits.length].uploaded.promise));
  const left = [wishes.keepAccount && 'deleteAccount', visits.length < 2 && lonely];
  const taken = way.filter((step) => !left.includes(step));
  const outcomes = await Promise.all(visits.map((it) => walk(it, taken, steps)));
  await browser.close();
  const problems = visits.flatMap(({ user, watch }) => watch.all().map((problem) => `${user}: ${problem}`));
  problems.forEach((problem) => console.log(`PROBLEM  ${problem}`));
  const good = outcomes.every(Boolean) && problems.length === 0;
  console.log(good ? `the ${what} of ${visits.length} people went well` : `the ${what} failed (${problems.length} problems)`);
  process.exit(good ? 0 : 1);
}

function program() {
  const named = process.env.CHROMIUM;
  const found = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable']
    .flatMap((name) => (process.env.PATH ?? '').split(delimiter).map((folder) => join(folder, name)))
    .find((path) => runs(path));
  if (!named && !found) throw new Error('no browser: name one with CHROMIUM=/path/to/it');
  return named ?? found;
}

function runs(path) {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

async function visit(browser, user, index, wishes, pdfs) {
  const { base, patience, screenshots } = wishes;
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, locale: 'en-GB', timezoneId: 'UTC', reducedMotion: 'reduce', ignoreHTTPSErrors: Boolean(wishes.provider) });
  context.setDefaultTimeout(30_000);
  await context.grantPermissions(['clipboard-read', 'clipboard-write'], { origin: base });
  const page = await context.newPage();
  // One of them is enough to be looked at.
  const watch = new Watch(page, index === 0 ? screenshots : undefined, [base, wishes.provider].filter(Boolean).map((url) => new URL(url).origin));
  await watch.start();
  const uploaded = {};
  uploaded.promise = new Promise((done, failed) => Object.assign(uploaded, { done, failed }));
  uploaded.promise.catch(() => {});
  return { page, watch, base, user, pdfs, wishes, patience: patience * 1000, uploaded };
}

/** Takes one person all the way; whether they arrived. */
async function walk(it, way, steps) {
  for (const name of way) {
    const started = performance.now();
    it.note = '';
    try {
      await steps[name](it);
      if (it.document) it.uploaded.done(it.document);
    } catch (error) {
      it.uploaded.failed(new Error(`${it.user} did not come so far`));
      await it.watch.failure(`${it.user}-${name}`);
      console.log(`FAILED   ${it.user}: ${name} at ${it.page.url()}: ${error.stack}`);
      return false;
    }
    const seconds = ((performance.now() - started) / 1000).toFixed(1);
    console.log(`ok       ${it.user}: ${name} ${seconds} s${it.note ? ` (${it.note})` : ''}`);
  }
  return true;
}
