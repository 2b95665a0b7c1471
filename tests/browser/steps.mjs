// What a person does in the app, one function per step.
//
// In: a visit: { page, watch, base, user, pdfs, patience, … }. Out: nothing, or an error that says what was not so. Elements are found by
// role, label or `data-` attribute, as people and the app's own script find them.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { TOPICS } from './pdf.mjs';

const titleOf = (path) => basename(path).replace(/\.pdf$/i, '');
const row = (page, title) => page.locator(`.doc[data-title=${JSON.stringify(title)}]`);

async function at(page, path) {
  await page.waitForURL((url) => url.pathname === path);
}

export async function landing({ page, watch, base }) {
  const response = await page.goto(base);
  assert.equal(response.status(), 200);
  const policy = response.headers()['content-security-policy'] ?? '';
  for (const part of ["default-src 'none'", "script-src 'self'", "style-src 'self'"]) assert.ok(policy.includes(part), `the policy is ${policy}`);
  await page.getByRole('heading', { level: 1 }).waitFor();
  await page.keyboard.press('Tab');
  assert.equal(await page.evaluate(() => document.activeElement.getAttribute('href')), '#main', 'the first Tab does not lead to the skip link');
  await watch.look('landing');
  await page.getByRole('link', { name: 'Get started' }).click();
  await at(page, '/sign-in');
  await watch.look('sign-in');
}

export async function signIn({ page, base, user, wishes }) {
  if (new URL(page.url()).pathname !== '/sign-in') await page.goto(`${base}/sign-in`);
  if (wishes.provider) return signInThere(page, user);
  await page.getByLabel('Your name').fill(user);
  await page.getByRole('button', { name: 'Sign in to the demo' }).click();
  await at(page, '/documents');
  await page.getByRole('heading', { level: 1 }).waitFor();
}

/** By an identity provider, which asks for a name the first time. */
async function signInThere(page, user) {
  await page.getByRole('link', { name: 'Continue with' }).click();
  const name = page.getByLabel('Name');
  await name.or(page.locator('#upload')).first().waitFor();
  if (await name.isVisible()) {
    await name.fill(user);
    await page.getByRole('button', { name: 'Sign in' }).click();
  }
  await at(page, '/documents');
  await page.getByRole('heading', { level: 1 }).waitFor();
}

/** The panel names its steps and the upload box is closed until the last one is done. */
export async function databaseReady(visit) {
  const { page, watch, patience } = visit;
  const panel = page.locator('#panel [data-ready]');
  if (await panel.count()) {
    const steps = await panel.locator('.step-label').allInnerTexts();
    assert.ok(steps.length >= 2, `the panel shows ${steps.length} steps`);
    visit.note = `steps: ${steps.length}`;
    await watch.look('preparing');
  } else {
    visit.note = 'it was ready before the page was';
  }
  await page.locator('#upload fieldset:enabled').waitFor({ timeout: patience });
  assert.equal(await page.locator('#panel [data-ready=false]').count(), 0, 'the panel still waits');
  assert.equal(await page.locator('.step[data-state=failed]').count(), 0, 'a step failed');
  await watch.look('documents-empty');
}

/** Notes every state that the upload and its row go through: they may last for moments only. */
async function note(page) {
  await page.evaluate(() => {
    window.seen = { sent: [], stages: {}, bars: 0 };
    const look = () => {
      for (const line of document.querySelectorAll('#uploads li')) window.seen.sent.push(line.textContent);
      for (const { dataset } of document.querySelectorAll('.doc')) {
        const stages = (window.seen.stages[dataset.title] ??= []);
        if (stages.at(-1) !== dataset.stage) stages.push(dataset.stage);
      }
      window.seen.bars += document.querySelectorAll('.doc progress').length;
    };
    window.watching?.disconnect();
    window.watching = new MutationObserver(look);
    window.watching.observe(document.querySelector('#main'), { subtree: true, childList: true, attributes: true, characterData: true });
  });
}

async function becomesReady({ page, patience }, title) {
  const document = row(page, title);
  await document.waitFor({ timeout: patience });
  const end = page.locator(`.doc[data-title=${JSON.stringify(title)}]:is([data-stage=ready], [data-stage=failed])`);
  await end.waitFor({ timeout: patience });
  assert.equal(await document.getAttribute('data-stage'), 'ready', `${title}: ${await document.innerText()}`);
  const seen = await page.evaluate(() => window.seen);
  assert.ok(seen.sent.length > 0, 'the upload itself was not shown');
  const stages = seen.stages[title] ?? [];
  assert.ok(stages.length > 1, `no stage was shown before "ready": ${stages}`);
  assert.equal(await page.locator('#uploads li').count(), 0, 'the line of the upload is still there');
  return { bars: seen.bars, stages: stages.join(' > ') };
}

/** A file from outside is dragged over the page and dropped, as the browser's own input reports it. */
export async function dropFile(visit) {
  const { page, pdfs } = visit;
  await note(page);
  const box = await page.locator('#upload .drop').boundingBox();
  const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
  const input = await page.context().newCDPSession(page);
  const data = { items: [], files: [pdfs[0]], dragOperationsMask: 1 };
  for (const type of ['dragEnter', 'dragOver', 'drop']) await input.send('Input.dispatchDragEvent', { type, x, y, data });
  await input.detach();
  const seen = await becomesReady(visit, titleOf(pdfs[0]));
  assert.ok(seen.bars > 0, `no progress bar was shown: ${seen.stages}`);
  visit.note = seen.stages;
}

export async function chooseFile(visit) {
  const { page, pdfs } = visit;
  await note(page);
  await page.locator('#file').setInputFiles({ name: basename(pdfs[1]), mimeType: 'application/pdf', buffer: readFileSync(pdfs[1]) });
  visit.note = (await becomesReady(visit, titleOf(pdfs[1]))).stages;
  await visit.watch.look('documents');
  const link = await row(page, titleOf(pdfs[0])).getByRole('link').first().getAttribute('href');
  visit.document = link;
}

/** What is no PDF is refused in words, here and by the server. */
export async function wrongFile({ page, watch }) {
  await page.locator('#file').setInputFiles({ name: 'notes.pdf', mimeType: 'application/pdf', buffer: Buffer.from('Just a text.') });
  const line = page.locator('#uploads li').filter({ hasText: 'notes.pdf' });
  await line.getByText('not a PDF').waitFor();
  await watch.look('refused');
  await line.getByRole('button').click();
  await line.waitFor({ state: 'detached' });
  watch.expect(/\b(400|415|422)\b.*\/documents\b/);
  const [status, words] = await page.evaluate(async () => {
    const body = new FormData();
    body.append('file', new Blob(['Just a text.'], { type: 'application/pdf' }), 'notes.pdf');
    const answer = await fetch('/documents', { method: 'POST', body, headers: { 'X-Requested-With': 'fetch' } });
    return [answer.status, (await answer.json()).message];
  });
  assert.ok(status >= 400 && status < 500 && words.length > 10, `the server answered ${status}: ${words}`);
}

export async function search(visit) {
  const { page, watch, pdfs } = visit;
  await page.getByRole('navigation', { name: 'Main' }).getByRole('link', { name: 'Search' }).click();
  await at(page, '/search');
  await watch.look('search-empty');
  for (const [index, { question }] of TOPICS.entries()) {
    await ask(page, question);
    const hit = page.locator('.hit').first();
    await hit.waitFor();
    const { first, last } = await pagesOf(hit);
    assert.ok(first <= index + 1 && index + 1 <= last && last - first <= 1, `${question}: ${await hit.innerText()}`);
  }
  await page.getByLabel('Search in').selectOption({ label: titleOf(pdfs[1]) });
  await ask(page, TOPICS[2].question);
  const titles = await page.locator('.hit strong').allInnerTexts();
  assert.ok(titles.length > 0 && titles.every((title) => title === titleOf(pdfs[1])), `hits of other documents: ${titles}`);
  await page.getByLabel('Search in').selectOption('');
  await ask(page, 'lighthouse keeper');
  assert.ok((await page.locator('.hit mark').allInnerTexts()).some((word) => /lighthouse/i.test(word)), 'the words are not marked');
  await watch.look('search');
}

/** A passage may begin at the end of one page and go on to the next. */
async function pagesOf(hit) {
  const numbers = (await hit.locator('.chip').innerText()).match(/\d+/g).map(Number);
  assert.equal(String(numbers[0]), await hit.getAttribute('data-page'));
  return { first: numbers[0], last: numbers.at(-1) };
}

async function ask(page, question) {
  await page.getByRole('searchbox').fill(question);
  await Promise.all([page.waitForURL((url) => url.searchParams.get('q') === question), page.keyboard.press('Enter')]);
}

/** The first hit opens on its page: that page is drawn and in view, and what was asked for stands on it or the next. */
export async function openHit(visit) {
  const { page, watch, pdfs } = visit;
  await page.getByLabel('Search in').selectOption({ label: titleOf(pdfs[0]) });
  await ask(page, TOPICS[2].question);
  const hit = page.locator('.hit').first();
  const { first } = await pagesOf(hit);
  await hit.getByRole('link').click();
  await page.waitForURL((url) => url.pathname === visit.document && url.searchParams.get('page') === String(first));
  await drawn(page, first);
  await watch.look('document');
  for (let number = first; number < 3; number += 1) await page.getByRole('button', { name: 'Next page' }).click();
  await drawn(page, 3);
  assert.ok((await page.locator('.page[data-page="3"] .textLayer').innerText()).includes('lighthouse keeper'), 'the page has another text');
  await page.getByRole('button', { name: 'Next page' }).click();
  await drawn(page, 4);
  assert.equal(new URL(page.url()).searchParams.get('page'), '4', 'the address does not follow the page');
  await page.reload();
  await drawn(page, 4);
}

async function drawn(page, number) {
  await page.locator(`#viewer[data-page="${number}"]`).waitFor();
  const sheet = page.locator(`.page[data-page="${number}"]`);
  await sheet.locator('.textLayer span').first().waitFor({ state: 'attached' });
  const canvas = sheet.locator('canvas');
  await canvas.waitFor();
  assert.ok(await canvas.evaluate((it) => {
    const { top, bottom } = it.getBoundingClientRect();
    return top < innerHeight && bottom > 0;
  }), `page ${number} is not in view`);
  const ink = await canvas.evaluate((it) => it.getContext('2d').getImageData(0, 0, it.width, it.height).data.some((value, index) => index % 4 === 0 && value < 100));
  assert.ok(ink, `page ${number} is blank`);
}

export async function rename(visit) {
  const { page } = visit;
  visit.title = 'Überblick: 数据 & <b>Leuchttürme</b>';
  await page.getByLabel('Title').fill(visit.title);
  await page.getByRole('button', { name: 'Rename' }).click();
  await page.getByRole('heading', { level: 1, name: visit.title, exact: true }).waitFor();
  await page.getByRole('link', { name: 'Your documents' }).click();
  await at(page, '/documents');
  await row(page, visit.title).waitFor();
}

/** What is somebody else's is not there. */
export async function othersDocument({ page, watch, base, other }) {
  const path = await other;
  watch.expect(new RegExp(`\\b404\\b.*${path}`));
  for (const address of [path, `${path}/file`]) {
    const status = await page.evaluate(async (it) => (await fetch(it)).status, address);
    assert.equal(status, 404, `${address} of another person`);
  }
  assert.equal((await page.goto(`${base}${path}`)).status(), 404);
  await watch.look('not-found');
  await page.goto(`${base}/documents`);
}

/** From the list, by its menu; a look at the question that is asked first, and at what a "no" does. */
export async function remove({ page, watch, title, pdfs }) {
  const document = row(page, title);
  const open = async () => {
    await document.getByLabel(`More for ${title}`).click();
    await document.getByRole('button', { name: 'Delete' }).click();
  };
  await open();
  const dialog = page.getByRole('dialog');
  await dialog.waitFor();
  await watch.look('delete');
  await dialog.getByRole('button', { name: 'Keep it' }).click();
  await dialog.waitFor({ state: 'hidden' });
  await document.waitFor();
  if (!(await document.getByRole('button', { name: 'Delete' }).isVisible())) await document.getByLabel(`More for ${title}`).click();
  await document.getByRole('button', { name: 'Delete' }).click();
  await dialog.getByRole('button', { name: 'Delete it' }).click();
  await document.waitFor({ state: 'detached' });
  await row(page, titleOf(pdfs[1])).waitFor();
  await page.goto(new URL(`/search?q=${encodeURIComponent(TOPICS[5].question)}`, page.url()).href);
  const titles = await page.locator('.hit strong').allInnerTexts();
  assert.ok(!titles.includes(title), 'what was deleted is still found');
}

export async function account({ page, watch, user }) {
  await page.getByLabel(`Account of ${user}`).click();
  await page.getByRole('link', { name: 'Account' }).click();
  await at(page, '/account');
  await page.getByRole('main').getByText(user, { exact: true }).waitFor();
  await watch.look('account');
}

export async function signOut({ page, base, user }) {
  await page.getByLabel(`Account of ${user}`).click();
  await page.getByRole('button', { name: 'Sign out' }).click();
  await page.waitForURL((url) => ['/', '/sign-in'].includes(url.pathname));
  await page.goto(`${base}/documents`);
  await at(page, '/sign-in');
}

export async function deleteAccount({ page, base }) {
  await page.goto(`${base}/account`);
  await page.getByLabel('type the word').fill('delete');
  await page.getByRole('button', { name: 'Delete everything' }).click();
  await page.waitForURL((url) => ['/', '/sign-in'].includes(url.pathname));
  await page.goto(`${base}/documents`);
  await at(page, '/sign-in');
}
