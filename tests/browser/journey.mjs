// The whole way through the app in a real browser, two people at once.
//
// `node journey.mjs <base-url> [json]`; the JSON may hold: users (two names), pdfs (two paths; made when left out), screenshots (a
// folder; left out, pages are neither pictured nor checked by axe), browser (its program), patience (seconds), keepAccount. Out: a line
// per step, every problem of every page, an honest exit code.

import { accessSync, constants, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join, resolve } from 'node:path';
import { chromium } from 'playwright-core';
import { book } from './pdf.mjs';
import * as steps from './steps.mjs';
import { Watch } from './watch.mjs';

const WAY = ['landing', 'signIn', 'databaseReady', 'dropFile', 'chooseFile', 'wrongFile', 'search', 'openHit', 'rename', 'othersDocument', 'remove', 'account', 'signOut', 'signIn', 'deleteAccount'];

const [base, json = '{}'] = process.argv.slice(2);
if (!base) {
  console.error('usage: node journey.mjs <base-url> [json]');
  process.exit(2);
}
const KNOWN = ['users', 'pdfs', 'screenshots', 'browser', 'patience', 'keepAccount'];
const wishes = { users: ['Ada', 'Grace'].map((name) => `${name} ${process.pid}`), patience: 90, ...JSON.parse(json) };
const unknown = Object.keys(wishes).filter((wish) => !KNOWN.includes(wish));
if (unknown.length) throw new Error(`unknown: ${unknown}; there are ${KNOWN}`);
const scratch = mkdtempSync(join(tmpdir(), 'journey-'));
process.on('exit', () => rmSync(scratch, { recursive: true, force: true }));
const pdfs = (wishes.pdfs ?? made()).map((path) => resolve(path));
const browser = await chromium.launch({ executablePath: wishes.browser ?? program(), args: process.getuid() === 0 ? ['--no-sandbox'] : [] });

const visits = await Promise.all(wishes.users.map(visit));
// Each tries to reach what is the next one's.
visits.forEach((it, index) => (it.other = visits[(index + 1) % visits.length].uploaded.promise));
const outcomes = await Promise.all(visits.map(walk));
await browser.close();
const problems = visits.flatMap(({ user, watch }) => watch.all().map((problem) => `${user}: ${problem}`));
problems.forEach((problem) => console.log(`PROBLEM  ${problem}`));
const good = outcomes.every(Boolean) && problems.length === 0;
console.log(good ? `the journey of ${visits.length} people went well` : `the journey failed (${problems.length} problems)`);
process.exit(good ? 0 : 1);

/** A long document, so that its progress can be seen, and a short one with a name of many scripts. */
function made() {
  return [['Harbour and hive.pdf', 60], ['Отчёт 数据 – короткий.pdf', 6]].map(([name, pages]) => {
    writeFileSync(join(scratch, name), book(pages));
    return join(scratch, name);
  });
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

async function visit(user, index) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, locale: 'en-GB', timezoneId: 'UTC', reducedMotion: 'reduce' });
  context.setDefaultTimeout(30_000);
  const page = await context.newPage();
  // One of them is enough to be looked at.
  const watch = new Watch(page, index === 0 ? wishes.screenshots : undefined);
  await watch.start();
  const uploaded = {};
  uploaded.promise = new Promise((done, failed) => Object.assign(uploaded, { done, failed }));
  uploaded.promise.catch(() => {});
  return { page, watch, base: base.replace(/\/$/, ''), user, pdfs, patience: wishes.patience * 1000, uploaded };
}

/** Takes one person all the way; whether they arrived. */
async function walk(it) {
  const left = [wishes.keepAccount && 'deleteAccount', visits.length < 2 && 'othersDocument'];
  for (const name of WAY.filter((step) => !left.includes(step))) {
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
