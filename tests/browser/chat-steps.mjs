// What a person does in the chat, one function per step.
//
// In: a visit, as in steps.mjs, of somebody who is signed in. Out: nothing, or an error that says what was not so. Whatever the chat model
// says is fine: these steps look at what surrounds its words.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { TOPICS } from './pdf.mjs';

const questions = (page) => page.locator('.question:visible');
const answers = (page) => page.locator('.answer:visible');
const last = (page) => answers(page).last();
const words = (answer) => answer.locator('[data-prose]').innerText();
const row = (page, id) => page.locator(`[data-conversation="${id}"]`);

/** A document that can be asked about: what is there already is taken as it is. */
export async function readyDocument({ page, base, pdfs, patience }) {
  await page.goto(`${base}/documents`);
  if ((await page.locator('.doc').count()) === 0) {
    const file = { name: basename(pdfs[0]), mimeType: 'application/pdf', buffer: readFileSync(pdfs[0]) };
    await page.locator('#file').setInputFiles(file);
  }
  const end = page.locator('.doc:is([data-stage=ready], [data-stage=failed])').first();
  await end.waitFor({ timeout: patience });
  assert.equal(await end.getAttribute('data-stage'), 'ready', await end.innerText());
}

export async function emptyChat({ page, watch }) {
  await page.getByRole('navigation', { name: 'Main' }).getByRole('link', { name: 'Chat' }).click();
  await page.waitForURL((url) => url.pathname === '/chat');
  assert.equal(await page.locator('[data-sample]').count(), 3, 'there are no questions to begin with');
  assert.equal(await page.getByLabel('Ask about').inputValue(), '', 'a new conversation is about one document');
  await watch.look('chat-empty');
}

/** Types a question and sends it; the focus stays where the next one is typed. */
async function send(page, question) {
  const field = page.getByLabel('Your question', { exact: true });
  await field.fill(question);
  await field.press('Enter');
  assert.equal(await field.inputValue(), '', 'the field was not emptied');
  assert.equal(await page.evaluate(() => document.activeElement.id), 'question', 'the focus left the field');
}

/** Presses what asks the server; the answer may be there before one could see the page at work. */
const asking = (page, button) => Promise.all([page.waitForResponse((response) => response.url().endsWith('/api/chat')), button.click()]);

/** Until nothing more comes. An answer that failed says why. */
async function whole({ page, patience }) {
  await page.locator('#chat:not(.busy)').waitFor({ timeout: patience });
  const answer = last(page);
  const problem = answer.locator('[data-problem]');
  assert.ok(!(await problem.isVisible()), `the answer failed: ${await answer.innerText()}`);
  await answer.locator('[data-deeds]').waitFor();
  assert.ok((await words(answer)).trim().length > 0, 'the answer is empty');
  return answer;
}

/** Until some of its text is there, and more is to come. */
async function coming({ page, patience }) {
  const text = last(page).locator('[data-prose] > *').first();
  await text.waitFor({ timeout: patience });
  assert.ok(await page.locator('#chat.busy').count(), 'the answer came at once: name a longer question with "long"');
  return words(last(page));
}

export async function ask(visit) {
  const { page, watch } = visit;
  await send(page, TOPICS[2].question);
  await questions(page).last().waitFor();
  assert.equal(await questions(page).last().locator('[data-words]').innerText(), TOPICS[2].question);
  await answers(page).last().waitFor();
  const answer = await whole(visit);
  visit.chat = new URL(page.url()).pathname.split('/')[2];
  assert.ok(visit.chat, `the address is ${page.url()}`);
  assert.equal(await row(page, visit.chat).getByRole('link').getAttribute('aria-current'), 'page', 'the conversation is not listed');
  assert.equal(await page.title(), `${await page.locator('#chat-title').innerText()} · Tenantry`);
  assert.ok((await answer.locator('.source').count()) > 0, 'the answer has no sources');
  // Every number in the text has its source.
  for (const chip of await answer.locator('.cite').all()) {
    assert.match(await chip.getAttribute('aria-label'), /^Source \d+: .+, pages? \d+/);
    const number = await chip.innerText();
    assert.equal(await answer.locator('[data-cited] [data-n]').filter({ hasText: new RegExp(`^${number}$`) }).count(), 1, `source ${number} is not listed`);
  }
  visit.note = `${await answer.locator('.cite').count()} citations, ${await answer.locator('.source').count()} sources`;
  // A moment after it is shown, so that screen readers notice the change.
  await page.locator('#announcer').filter({ hasText: 'Answer: ' }).waitFor({ state: 'attached' });
  await watch.look('chat-answer');
}

/** A number in the text opens its page, and the passage is marked there. */
export async function openCitation(visit) {
  const { page, watch } = visit;
  const answer = last(page);
  let source = answer.locator('.cite').first();
  if ((await source.count()) === 0) {
    await answer.locator('[data-uncited] summary').click();
    source = answer.locator('.source').first();
  }
  const name = (await source.getAttribute('aria-label')) ?? (await source.innerText());
  const number = Number(/page?s? (\d+)/i.exec(name)[1]);
  await source.click();
  await drawn(page, number);
  const mark = page.locator('.marks > div').first();
  await mark.waitFor();
  assert.ok(await mark.evaluate((it) => {
    const { top, bottom } = it.getBoundingClientRect();
    const area = it.closest('.pages').getBoundingClientRect();
    return bottom > area.top && top < area.bottom;
  }), 'the passage is marked out of view');
  assert.match(await page.locator('#beside-words').innerText(), /The passage is marked/);
  await watch.look('chat-document');
  // Again, by keyboard: reading goes on in the document, and Escape leads back.
  await source.focus();
  await page.keyboard.press('Enter');
  assert.ok(await page.evaluate(() => document.activeElement.matches('#viewer .pages')), 'the focus is not in the document');
  await page.keyboard.press('Escape');
  await page.locator('#beside').waitFor({ state: 'hidden' });
  assert.ok(await source.evaluate((it) => it === document.activeElement), 'the focus did not come back');
}

async function drawn(page, number) {
  await page.locator(`#viewer[data-page="${number}"]`).waitFor();
  await page.locator(`.page[data-page="${number}"] .textLayer.drawn`).waitFor({ state: 'attached' });
}

export async function followUp(visit) {
  const before = await answers(visit.page).count();
  await send(visit.page, 'And when does that happen?');
  await whole(visit);
  assert.equal(await answers(visit.page).count(), before + 1);
}

/** What was said until then stays. */
export async function stop(visit) {
  const { page, wishes, watch } = visit;
  await send(page, wishes.long);
  const seen = await coming(visit);
  if (watch.folder) await watch.axe('chat, while the answer comes');
  await page.getByRole('button', { name: 'Stop the answer' }).click();
  await page.locator('#chat:not(.busy)').waitFor();
  await last(page).getByText('You stopped this answer.').waitFor();
  const text = await words(last(page));
  assert.ok(text.startsWith(seen.trim().slice(0, 20)), `"${seen}" became "${text}"`);
  visit.note = `after ${text.length} characters`;
}

/** Everything is there again. */
export async function reload({ page }) {
  const all = async () => ({ questions: await questions(page).locator('[data-words]').allInnerTexts(), answers: await page.locator('.answer [data-prose]').allInnerTexts() });
  const before = await all();
  await page.reload();
  await answers(page).nth(before.answers.length - 1).waitFor();
  assert.deepEqual(await all(), before);
  await last(page).getByText('You stopped this answer.').waitFor();
}

/** A page that is loaded anew in mid-answer goes on with it. */
export async function resume(visit) {
  const { page, wishes } = visit;
  const asked = await questions(page).count();
  await send(page, wishes.long);
  const seen = await coming(visit);
  await page.reload();
  await questions(page).nth(asked).waitFor();
  visit.note = (await page.locator('#chat.busy').count()) ? 'it went on' : 'it was over by then';
  await last(page).locator('[data-prose] > *').first().waitFor();
  const text = await words(await whole(visit));
  assert.ok(text.startsWith(seen.trim().slice(0, 20)) && text.length >= seen.trim().length, `"${seen}" became "${text}"`);
  assert.equal(await questions(page).count(), asked + 1, 'the question is there twice');
  assert.equal(await answers(page).count(), asked + 1, 'the answer is there twice');
}

/** A changed question replaces itself and what came after it. */
export async function edit(visit) {
  const { page, watch } = visit;
  const second = questions(page).nth(1);
  await second.hover();
  await second.getByRole('button', { name: 'Edit this question' }).click();
  await page.keyboard.press('Escape');
  await second.getByRole('button', { name: 'Edit this question' }).click();
  await watch.look('chat-edit');
  await second.getByLabel('Your question, changed').fill(TOPICS[4].question);
  await asking(page, second.getByRole('button', { name: 'Send again' }));
  await whole(visit);
  assert.deepEqual(await questions(page).locator('[data-words]').allInnerTexts(), [TOPICS[2].question, TOPICS[4].question]);
  await page.reload();
  await answers(page).nth(1).waitFor();
  assert.deepEqual(await questions(page).locator('[data-words]').allInnerTexts(), [TOPICS[2].question, TOPICS[4].question]);
}

export async function regenerate(visit) {
  const { page } = visit;
  await asking(page, last(page).getByRole('button', { name: 'Answer again' }));
  await whole(visit);
  assert.equal(await answers(page).count(), 2, 'the old answer is still there');
  assert.equal(await questions(page).count(), 2);
}

/** Pressed, kept over a reload, and taken back. */
export async function thumbs({ page }) {
  const thumb = (name) => last(page).getByRole('button', { name });
  const pressed = async (name) => (await thumb(name).getAttribute('aria-pressed')) === 'true';
  const press = async (name) => Promise.all([page.waitForResponse((response) => response.url().endsWith('/feedback') && response.status() === 204), thumb(name).click()]);
  await press('Good answer');
  await press('Bad answer');
  assert.deepEqual([await pressed('Good answer'), await pressed('Bad answer')], [false, true]);
  await page.reload();
  await thumb('Bad answer').waitFor();
  assert.deepEqual([await pressed('Good answer'), await pressed('Bad answer')], [false, true], 'it was not kept');
  await press('Bad answer');
  assert.equal(await pressed('Bad answer'), false, 'it cannot be taken back');
}

/** The clipboard belongs to everybody at this screen, so what is put there is looked at on its way. */
export async function copy({ page }) {
  const answer = last(page);
  const begin = (await words(answer)).trim().slice(0, 12);
  const names = await answer.locator('.cite').evaluateAll((chips) => chips.map((chip) => chip.getAttribute('aria-label')));
  const wanted = names.map((name) => name.replace(/^Source (\d+): /, '[$1] '));
  await page.evaluate(() => {
    window.copied = null;
    const write = navigator.clipboard.writeText.bind(navigator.clipboard);
    navigator.clipboard.writeText = (text) => ((window.copied = text), write(text));
  });
  await answer.getByRole('button', { name: 'Copy the answer' }).click();
  await answer.locator('[data-do=copy].done').waitFor();
  const text = await page.evaluate(() => window.copied);
  assert.ok(text.replaceAll(/[*#`]/g, '').startsWith(begin.split(/\s\d/)[0]), `copied: ${text}`);
  for (const line of wanted) assert.ok(text.split('\n').includes(line), `no "${line}" in: ${text}`);
}

export async function rename({ page, chat }) {
  const title = 'Überblick: 数据 & <b>Leuchttürme</b>';
  await row(page, chat).getByLabel('More for').click();
  await row(page, chat).getByLabel('Title').fill(title);
  await row(page, chat).getByRole('button', { name: 'Rename' }).click();
  await page.getByRole('heading', { name: title, exact: true }).waitFor();
  await page.reload();
  await row(page, chat).getByText(title, { exact: true }).waitFor();
}

/** One tab at a time; a citation leads to the document's. */
export async function phone({ page, watch }) {
  await answers(page).first().waitFor();
  await page.setViewportSize({ width: 390, height: 844 });
  const tab = (name) => page.getByRole('tab', { name });
  await tab('Conversations').click();
  await page.getByRole('tabpanel', { name: 'Conversations' }).waitFor();
  assert.ok(!(await page.locator('#talk').isVisible()));
  await page.keyboard.press('ArrowRight');
  assert.equal(await tab('Chat').getAttribute('aria-selected'), 'true', 'the arrow keys do not lead from tab to tab');
  const source = page.locator('.cite:visible, .source:visible').first();
  await source.click();
  assert.equal(await tab('Document').getAttribute('aria-selected'), 'true');
  await page.locator('.marks > div').first().waitFor();
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  assert.ok(wide <= 1, `the page is ${wide} pixels wider than the screen`);
  await watch.look('chat-phone-document');
  await page.setViewportSize({ width: 390, height: 844 });
  await page.getByRole('button', { name: 'Close the document' }).click();
  assert.ok(await page.locator('#talk').isVisible());
  await page.setViewportSize({ width: 1280, height: 800 });
}

/** From the document's own page: the conversation is about it alone, and it stands beside. */
export async function oneDocument(visit) {
  const { page, base, watch } = visit;
  await page.goto(`${base}/documents`);
  await page.locator('.doc[data-stage=ready]').first().getByRole('link', { name: 'Ask' }).click();
  await page.waitForURL((url) => url.pathname === '/chat' && url.searchParams.has('document'));
  assert.notEqual(await page.getByLabel('Ask about').inputValue(), '', 'the document is not chosen');
  await drawn(page, 1);
  await send(page, TOPICS[5].question);
  await whole(visit);
  assert.equal(await page.getByLabel('Ask about').count(), 0, 'what it is about can still be changed');
  const about = await page.locator('#scope-words').innerText();
  assert.ok(about.length > 0 && about !== 'All documents', `it is about "${about}"`);
  await page.reload();
  await answers(page).first().waitFor();
  assert.equal(await page.locator('#scope-words').innerText(), about);
  await drawn(page, 1);
  visit.second = new URL(page.url()).pathname.split('/')[2];
  // What the next person tries to reach.
  visit.document = `/chat/${visit.second}`;
  await watch.look('chat-one-document');
}

/** What is somebody else's is not there. */
export async function othersConversation({ page, watch, other }) {
  const path = await other;
  const id = path.split('/')[2];
  watch.expect(new RegExp(`404.*${id}`));
  for (const address of [path, `/api/chat/${id}`, `/api/chat/${id}/stream`]) {
    const status = await page.evaluate(async (it) => (await fetch(it, { headers: { 'X-Requested-With': 'fetch' } })).status, address);
    assert.equal(status, 404, `${address} of another person`);
  }
}

/** Asked first; then it is gone, here and on the server. */
export async function remove({ page, watch, base, chat }) {
  await page.goto(`${base}/chat/${chat}`);
  await answers(page).first().waitFor();
  const dialog = page.getByRole('dialog');
  const open = async () => {
    const button = row(page, chat).getByRole('button', { name: 'Delete' });
    if (!(await button.isVisible())) await row(page, chat).getByLabel('More for').click();
    await button.click();
    await dialog.waitFor();
  };
  await open();
  await watch.look('chat-delete');
  await dialog.getByRole('button', { name: 'Keep it' }).click();
  await dialog.waitFor({ state: 'hidden' });
  await open();
  await dialog.getByRole('button', { name: 'Delete it' }).click();
  await page.waitForURL((url) => url.pathname === '/chat');
  assert.equal(await row(page, chat).count(), 0, 'it is still listed');
  watch.expect(new RegExp(`404.*${chat}`));
  const status = await page.evaluate(async (id) => (await fetch(`/api/chat/${id}`)).status, chat);
  assert.equal(status, 404, 'it is still on the server');
}
