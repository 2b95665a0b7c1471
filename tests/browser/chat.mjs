// The chat in a real browser, two people at once: asked, answered, cited, stopped, resumed, changed, rated, copied, deleted.
//
// `node chat.mjs <base-url> [json]`; the JSON may hold what that of journey.mjs may, with one path in pdfs, and: long (a question whose
// answer takes some seconds, so that there is time to stop it), brief (only the first steps). It works with any chat model, and without one: only the shape of an answer
// is looked at, never its words. Out: a line per step, every problem of every page, an honest exit code.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import * as chat from './chat-steps.mjs';
import { book } from './pdf.mjs';
import { everybody, wishesOf } from './people.mjs';
import { databaseReady, deleteAccount, signIn } from './steps.mjs';

const WAY = [
  'signIn', 'databaseReady', 'readyDocument', 'emptyChat', 'ask', 'openCitation', 'followUp', 'stop', 'reload', 'resume', 'edit', 'regenerate',
  'thumbs', 'copy', 'rename', 'phone', 'oneDocument', 'othersConversation', 'remove', 'deleteAccount',
];

// What shows that all parts are there, with a model that takes its time.
const BRIEF = ['signIn', 'databaseReady', 'readyDocument', 'emptyChat', 'ask', 'openCitation', 'remove', 'deleteAccount'];

const wishes = wishesOf('chat.mjs', { brief: false, long: 'Tell me about every topic of the documents, one after the other, and leave nothing out.' });
const scratch = mkdtempSync(join(tmpdir(), 'chat-'));
process.on('exit', () => rmSync(scratch, { recursive: true, force: true }));
const pdfs = (wishes.pdfs ?? made()).map((path) => resolve(path));
await everybody({ what: 'chat', way: wishes.brief ? BRIEF : WAY, steps: { ...chat, databaseReady, deleteAccount, signIn }, wishes, pdfs, lonely: 'othersConversation' });

function made() {
  const path = join(scratch, 'Harbour and hive.pdf');
  writeFileSync(path, book(12));
  return [path];
}
