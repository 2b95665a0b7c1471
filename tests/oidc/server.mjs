// A certified OpenID provider on loopback, for tests and demonstrations.
//
// In: --redirect-uri (any number), --port, or OIDC_REDIRECT_URIS, OIDC_PORT, OIDC_CLIENT_SECRET; with --tls-cert and --tls-key it speaks TLS, at
// --host. Out: one line of JSON when it is ready,
// then real authorization code flows with PKCE. Anybody may sign in under any name: `login_hint` or the form says who. It keeps
// everything in memory. What it does wrong on request is in faults.mjs and asked for at /_control.

import { createHash, generateKeyPairSync, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { parseArgs } from 'node:util';
import Provider from 'oidc-provider';
import { Faults } from './faults.mjs';

const { values: args } = parseArgs({
  options: {
    'redirect-uri': { type: 'string', multiple: true, default: (process.env.OIDC_REDIRECT_URIS ?? '').split(',').filter(Boolean) },
    port: { type: 'string', default: process.env.OIDC_PORT ?? '0' },
    host: { type: 'string', default: '127.0.0.1' },
    'tls-cert': { type: 'string' },
    'tls-key': { type: 'string' },
  },
});
const secret = process.env.OIDC_CLIENT_SECRET ?? randomBytes(16).toString('hex');
const redirects = new Set(args['redirect-uri']);
const users = new Map();

const tls = args['tls-cert'] && { cert: readFileSync(args['tls-cert']), key: readFileSync(args['tls-key']) };
const server = tls ? createTlsServer(tls) : createServer();
await new Promise((done) => server.listen(Number(args.port), args.host, done));
const issuer = `${tls ? 'https' : 'http'}://${args.host}:${server.address().port}`;
// Orders are given in clear text, on loopback.
const orders = tls ? createServer() : server;
if (tls) await new Promise((done) => orders.listen(0, '127.0.0.1', done));
const signing = { ...generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ format: 'jwk' }), kid: 'test', use: 'sig', alg: 'RS256' };
const faults = new Faults(signing);
const provider = new Provider(issuer, configuration());
provider.Client.prototype.redirectUriAllowed = (uri) => redirects.has(uri);
provider.on('server_error', (_, error) => console.error(error));
provider.use(control);
provider.use(signIn);
provider.use((ctx, next) => faults.apply(ctx, next));
for (const one of new Set([server, orders])) one.on('request', provider.callback());
for (const signal of ['SIGTERM', 'SIGINT']) process.on(signal, () => process.exit(0));
console.log(JSON.stringify({ issuer, control_url: `http://127.0.0.1:${orders.address().port}/_control`, client_id: 'tenantry', client_secret: secret, public_client_id: 'tenantry-public' }));

function configuration() {
  const common = { grant_types: ['authorization_code'], response_types: ['code'], redirect_uris: [`${issuer}/never`] };
  return {
    clients: [
      { ...common, client_id: 'tenantry', client_secret: secret },
      { ...common, client_id: 'tenantry-public', token_endpoint_auth_method: 'none' },
    ],
    jwks: { keys: [signing] },
    cookies: { keys: [randomBytes(16).toString('hex')] },
    claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name'] },
    // Claims are in the ID token, as large providers have them.
    conformIdTokenClaims: false,
    pkce: { required: () => true },
    features: { devInteractions: { enabled: false } },
    interactions: { url: (_, interaction) => `/_interaction/${interaction.uid}` },
    ttl: { AccessToken: 3600, AuthorizationCode: 60, Grant: 86400, IdToken: 3600, Interaction: 3600, Session: 86400 },
    findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id, ...claimsOf(id) }) }),
  };
}

function claimsOf(id) {
  return { name: id, email: `${id}@example.test`, email_verified: true, ...users.get(id) };
}

// Names of any script: the subject stays ASCII.
function subjectOf(name) {
  if (/^[\w.@-]{1,64}$/.test(name)) return name;
  const id = createHash('sha256').update(name).digest('hex').slice(0, 16);
  users.set(id, { name, ...users.get(id) });
  return id;
}

async function text(request) {
  const parts = [];
  for await (const part of request) parts.push(part);
  return Buffer.concat(parts).toString();
}

// The form where somebody says who they are; consent is given without asking.
async function signIn(ctx, next) {
  if (!ctx.path.startsWith('/_interaction/')) return next();
  const { prompt, params, session, grantId } = await provider.interactionDetails(ctx.req, ctx.res);
  const form = ctx.method === 'POST' ? new URLSearchParams(await text(ctx.req)) : new URLSearchParams();
  const name = form.get('login')?.trim() || params.login_hint;
  if (form.has('cancel')) return finish(ctx, { error: 'access_denied', error_description: 'The person said no.' });
  if (prompt.name === 'login') {
    if (name) return finish(ctx, { login: { accountId: subjectOf(name) } });
    ctx.type = 'html';
    ctx.body = page(ctx.path);
    return undefined;
  }
  const grant = grantId ? await provider.Grant.find(grantId) : new provider.Grant({ accountId: session.accountId, clientId: params.client_id });
  grant.addOIDCScope(params.scope);
  return finish(ctx, { consent: { grantId: await grant.save() } });
}

async function finish(ctx, result) {
  ctx.redirect(await provider.interactionResult(ctx.req, ctx.res, result, { mergeWithLastSubmission: true }));
  // What comes back must be fetched, not posted again.
  ctx.status = 303;
}

const page = (action) => `<!doctype html><html lang="en"><title>Test identity provider</title><link rel="icon" href="data:,"><main><h1>Sign in to the test identity provider</h1>
<form method="post" action="${action}"><label>Name <input name="login" autocomplete="off" autofocus></label>
<button>Sign in</button> <button name="cancel" value="1">Cancel</button></form></main></html>`;

// GET says what is set; POST takes {"redirect_uri": …}, {"user": …, "claims": {…}}, {"user": …, "fault": …, "millis": …}, {"reset": true}.
async function control(ctx, next) {
  if (ctx.path !== '/_control') return next();
  try {
    if (ctx.method === 'POST') change(JSON.parse(await text(ctx.req)));
    ctx.body = { redirect_uris: [...redirects], users: Object.fromEntries(users), faults: faults.all(), faults_known: Faults.KNOWN, tokens: faults.tokens };
  } catch (error) {
    ctx.status = 400;
    ctx.body = { error: error.message };
  }
  return undefined;
}

function change(order) {
  const { redirect_uri: redirect, user = '*', claims, fault, millis, reset, ...unknown } = order;
  if (Object.keys(unknown).length) throw new Error(`unknown: ${Object.keys(unknown)}`);
  if (reset) {
    faults.clear();
    users.clear();
  }
  if (redirect) redirects.add(redirect);
  if (claims) users.set(subjectOf(user), { ...users.get(subjectOf(user)), ...claims });
  if (fault !== undefined) faults.set(user === '*' ? user : subjectOf(user), fault, millis);
}
