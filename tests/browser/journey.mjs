// The whole way through the app in a real browser, two people at once.
//
// `node journey.mjs <base-url> [json]`; the JSON may hold: users (two names), pdfs (two paths; made when left out), screenshots (a
// folder; left out, pages are neither pictured nor checked by axe), browser (its program), patience (seconds), keepAccount, provider (people sign in
// at this address, and certificates are not looked at). Out: a line
// per step, every problem of every page, an honest exit code.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { book } from './pdf.mjs';
import { everybody, wishesOf } from './people.mjs';
import * as steps from './steps.mjs';

const WAY = ['landing', 'signIn', 'databaseReady', 'dropFile', 'chooseFile', 'wrongFile', 'search', 'openHit', 'rename', 'othersDocument', 'remove', 'account', 'signOut', 'signIn', 'deleteAccount'];

const wishes = wishesOf('journey.mjs');
const scratch = mkdtempSync(join(tmpdir(), 'journey-'));
process.on('exit', () => rmSync(scratch, { recursive: true, force: true }));
const pdfs = (wishes.pdfs ?? made()).map((path) => resolve(path));
await everybody({ what: 'journey', way: WAY, steps, wishes, pdfs, lonely: 'othersDocument' });

/** A long document, so that its progress can be seen, and a short one with a name of many scripts. */
function made() {
  return [['Harbour and hive.pdf', 60], ['Отчёт 数据 – короткий.pdf', 6]].map(([name, pages]) => {
    writeFileSync(join(scratch, name), book(pages));
    return join(scratch, name);
  });
}
