// The provider as a client sees it: the whole flow by hand, and each fault. Run: `node --test` here.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHash, createPublicKey, randomBytes, verify } from 'node:crypto';
import { after, before, test } from 'node:test';

const CALLBACK = 'http://127.0.0.1:9/sign-in/oidc/callback';
let server, said, discovery;

before(async () => {
  server = spawn(process.execPath, [new URL('server.mjs', import.meta.url).pathname, '--redirect-uri', CALLBACK], { stdio: ['ignore', 'pipe', 'inherit'] });
  said = JSON.parse(await new Promise((done) => server.stdout.once('data', done)));
  discovery = await (await fetch(`${said.issuer}/.well-known/openid-configuration`)).json();
});
after(() => server.kill());

const control = (order) => fetch(said.control_url, { method: 'POST', body: JSON.stringify(order) });

// Follows redirects by hand, with a cookie jar, filling in the form when it comes.
async function flow({ user, hint, client = said.client_id, callback = CALLBACK, cancel }) {
  const verifier = randomBytes(32).toString('base64url');
  const query = new URLSearchParams({
    client_id: client, response_type: 'code', scope: 'openid email profile', redirect_uri: callback, state: 's', nonce: 'n',
    code_challenge: createHash('sha256').update(verifier).digest('base64url'), code_challenge_method: 'S256', ...(hint && { login_hint: hint }),
  });
  const jar = new Map();
  let [url, options] = [`${discovery.authorization_endpoint}?${query}`, {}];
  for (let step = 0; step < 12 && !url.startsWith(callback); step += 1) {
    const cookie = [...jar].map(([name, value]) => `${name}=${value}`).join('; ');
    const reply = await fetch(url, { redirect: 'manual', ...options, headers: { cookie } });
    for (const line of reply.headers.getSetCookie()) jar.set(...line.split(';')[0].split(/=(.*)/s).slice(0, 2));
    options = {};
    if (reply.status === 200) options = { method: 'POST', body: new URLSearchParams(cancel ? { cancel: 1 } : { login: user }) };
    else if (reply.status >= 400) return { status: reply.status };
    else url = new URL(reply.headers.get('location'), url).href;
  }
  const back = new URL(url).searchParams;
  if (back.get('error')) return { error: back.get('error') };
  const body = new URLSearchParams({ grant_type: 'authorization_code', code: back.get('code'), redirect_uri: callback, code_verifier: verifier, client_id: client });
  const authorization = `Basic ${Buffer.from(`${client}:${said.client_secret}`).toString('base64')}`;
  const reply = await fetch(discovery.token_endpoint, { method: 'POST', body, headers: client === said.client_id ? { authorization } : {} });
  const token = await reply.json();
  return { status: reply.status, token, claims: claimsIn(token.id_token) };
}

function claimsIn(token) {
  try {
    return JSON.parse(Buffer.from(token.split('.')[1], 'base64url'));
  } catch {
    return undefined;
  }
}

async function isSigned(token) {
  const { keys } = await (await fetch(discovery.jwks_uri)).json();
  const [header, claims, signature] = token.split('.');
  return verify('sha256', Buffer.from(`${header}.${claims}`), createPublicKey({ key: keys[0], format: 'jwk' }), Buffer.from(signature, 'base64url'));
}

test('by hint and by form, with both kinds of client', async () => {
  for (const how of [{ hint: 'alice' }, { user: 'alice' }, { user: 'alice', client: said.public_client_id }]) {
    const { token, claims } = await flow(how);
    assert.deepEqual([claims.sub, claims.email, claims.email_verified, claims.name, claims.nonce, claims.iss], ['alice', 'alice@example.test', true, 'alice', 'n', said.issuer]);
    assert.ok(await isSigned(token.id_token));
  }
});

test('names of any script, and claims that change', async () => {
  const first = await flow({ user: 'Жанна Д’Арк 数据' });
  assert.equal(first.claims.name, 'Жанна Д’Арк 数据');
  await control({ user: 'carol', claims: { email: 'shared@example.test', email_verified: false } });
  const { claims } = await flow({ hint: 'carol' });
  assert.deepEqual([claims.email, claims.email_verified], ['shared@example.test', false]);
});

test('a person can say no, and only known places are redirected to', async () => {
  assert.equal((await flow({ cancel: true })).error, 'access_denied');
  const callback = 'http://127.0.0.1:10/callback';
  assert.equal((await flow({ hint: 'alice', callback })).status, 400);
  await control({ redirect_uri: callback });
  assert.equal((await flow({ hint: 'alice', callback })).status, 200);
});

test('every fault shows, for its user only', async () => {
  const wrong = {
    nonce: ({ claims }) => claims.nonce === 'another-nonce',
    no_nonce: ({ claims }) => !('nonce' in claims),
    issuer: ({ claims }) => claims.iss !== said.issuer,
    audience: ({ claims }) => claims.aud === 'another-client',
    expired: ({ claims }) => claims.exp * 1000 < Date.now(),
    signature: async ({ token, claims }) => claims.nonce === 'n' && !(await isSigned(token.id_token)),
    unsigned: ({ token }) => token.id_token.endsWith('.'),
    no_id_token: ({ status, token }) => status === 200 && !token.id_token,
    garbage: ({ token }) => token.id_token === 'not.a.token',
    invalid_grant: ({ status, token }) => status === 400 && token.error === 'invalid_grant',
    server_error: ({ status }) => status === 500,
    slow: ({ claims }) => claims.nonce === 'n',
  };
  const { faults_known: known } = await (await fetch(said.control_url)).json();
  assert.deepEqual(Object.keys(wrong).sort(), [...known].sort());
  for (const fault of known) {
    await control({ user: 'mallory', fault, millis: 1 });
    const spoilt = await flow({ hint: 'mallory' }).catch((error) => assert.fail(`${fault}: ${error}`));
    assert.ok(await wrong[fault](spoilt), `${fault}: ${JSON.stringify(spoilt)}`);
    assert.equal((await flow({ hint: 'alice' })).claims.nonce, 'n');
  }
  await control({ user: 'mallory', fault: null });
  assert.equal((await flow({ hint: 'mallory' })).claims.nonce, 'n');
  assert.equal((await control({ fault: 'nonsense' })).status, 400);
});
