// What a provider can do wrong between the authorization code and the ID token, on request.
//
// In: the reply of the token endpoint, as the provider made it. Out: the same, spoilt for the users (or `*`, everybody) for whom a fault is
// set. It must not touch any other user's reply, so tests beside each other do not meet.

import { createPrivateKey, generateKeyPairSync, sign } from 'node:crypto';

const day = 86400;
const CLAIMS = {
  nonce: () => ({ nonce: 'another-nonce' }),
  no_nonce: () => ({ nonce: undefined }),
  issuer: () => ({ iss: 'https://issuer.example' }),
  audience: () => ({ aud: 'another-client' }),
  expired: (claims) => ({ iat: claims.iat - 2 * day, exp: claims.iat - day }),
  signature: () => ({}),
  unsigned: () => ({}),
};
const REPLIES = {
  no_id_token: ({ id_token: _, ...reply }) => [200, reply],
  garbage: (reply) => [200, { ...reply, id_token: 'not.a.token' }],
  invalid_grant: () => [400, { error: 'invalid_grant', error_description: 'grant request is invalid' }],
  server_error: () => [500, { error: 'server_error' }],
  slow: (reply) => [200, reply],
};

export class Faults {
  static KNOWN = [...Object.keys(CLAIMS), ...Object.keys(REPLIES)];

  constructor(key) {
    this.key = key;
    this.stranger = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
    this.clear();
  }

  clear() {
    this.wanted = new Map();
    this.tokens = [];
  }

  all() {
    return Object.fromEntries(this.wanted);
  }

  set(user, fault, millis = 0) {
    if (fault === null) return void this.wanted.delete(user);
    if (!Faults.KNOWN.includes(fault)) throw new Error(`no fault ${fault}; there are ${Faults.KNOWN.join(', ')}`);
    return void this.wanted.set(user, { fault, millis });
  }

  async apply(ctx, next) {
    await next();
    if (ctx.oidc?.route !== 'token' || !ctx.body?.id_token) return;
    const [header, claims] = ctx.body.id_token.split('.').slice(0, 2).map((part) => JSON.parse(Buffer.from(part, 'base64url')));
    const { fault, millis } = this.wanted.get(claims.sub) ?? this.wanted.get('*') ?? {};
    this.tokens.push({ user: claims.sub, client: claims.aud, fault });
    if (!fault) return;
    if (millis) await new Promise((done) => setTimeout(done, millis));
    if (REPLIES[fault]) [ctx.status, ctx.body] = REPLIES[fault](ctx.body);
    else ctx.body = { ...ctx.body, id_token: this.signed(header, { ...claims, ...CLAIMS[fault](claims) }, fault) };
  }

  signed(header, claims, fault) {
    const encode = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
    if (fault === 'unsigned') return `${encode({ alg: 'none', typ: 'JWT' })}.${encode(claims)}.`;
    const text = `${encode(header)}.${encode(claims)}`;
    const key = fault === 'signature' ? this.stranger : createPrivateKey({ key: this.key, format: 'jwk' });
    return `${text}.${sign('sha256', Buffer.from(text), key).toString('base64url')}`;
  }
}
