-- The app's main database: who signs in, which tenant is theirs, which documents it has, what is still to be done.
-- Texts and vectors of documents are not here: they are in each tenant's own database.

create table users (
    id uuid primary key,
    -- Who vouches for the person, and under which name: an e-mail address can change hands, this pair cannot.
    issuer text not null,
    subject text not null,
    name text not null,
    email text,
    created_at timestamptz not null default now(),
    signed_in_at timestamptz not null default now(),
    unique (issuer, subject)
);

create table tenants (
    id uuid primary key,
    -- Name of the VectorTenant, made from the id, and the object's UID once it was created: an object of that name with
    -- another UID is not ours.
    object_name text not null unique,
    object_uid text,
    created_at timestamptz not null default now(),
    -- Set when the account is being deleted: nothing of the tenant is shown from then on.
    deleted_at timestamptz
);

create table members (
    tenant_id uuid not null references tenants (id) on delete cascade,
    user_id uuid not null references users (id) on delete cascade,
    role text not null check (role in ('owner', 'member')),
    created_at timestamptz not null default now(),
    primary key (tenant_id, user_id)
);

create index members_user_idx on members (user_id);

create table sessions (
    -- SHA-256 of the random id that the cookie holds: who reads this table can sign in as nobody.
    id_hash bytea primary key check (length(id_hash) = 32),
    user_id uuid not null references users (id) on delete cascade,
    created_at timestamptz not null default now(),
    seen_at timestamptz not null default now(),
    -- The id token's hint for a sign-out at the provider is not kept: signing out here ends the session here.
    expires_at timestamptz not null
);

create index sessions_user_idx on sessions (user_id);
create index sessions_expires_idx on sessions (expires_at);

-- Sign-ins on their way to the identity provider and back.
create table sign_ins (
    state_hash bytea primary key check (length(state_hash) = 32),
    -- SHA-256 of the cookie of the browser that began: another browser cannot finish it.
    browser_hash bytea not null check (length(browser_hash) = 32),
    nonce text not null,
    pkce_verifier text not null,
    return_to text not null,
    created_at timestamptz not null default now()
);

create table documents (
    id uuid primary key,
    tenant_id uuid not null references tenants (id) on delete cascade,
    title text not null check (length(title) between 1 and 500),
    file_name text not null check (length(file_name) between 1 and 1000),
    -- Where the file is in the object store; written down before the first byte goes there, so that nothing is left behind
    -- that nobody knows of.
    blob_key text not null unique,
    bytes bigint not null default 0 check (bytes >= 0),
    sha256 bytea,
    pages integer check (pages >= 0),
    -- uploading: the file is on its way. queued, reading, embedding: work is under way. deleting: hidden, being removed.
    stage text not null default 'uploading'
        check (stage in ('uploading', 'queued', 'reading', 'embedding', 'ready', 'failed', 'deleting')),
    done integer not null default 0 check (done >= 0),
    total integer check (total >= 0),
    -- Why it failed: a name from a fixed set, and words for the person.
    failure text,
    failure_words text,
    -- The model that the stored vectors are from; those of another cannot be compared with them.
    embedding_model text,
    passages integer check (passages >= 0),
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);

create index documents_tenant_idx on documents (tenant_id, created_at desc);
create index documents_uploading_idx on documents (updated_at) where stage = 'uploading';

-- Work to be done, at most one piece of each kind per document. It is put here in the transaction that makes it necessary.
create table jobs (
    id bigint generated always as identity primary key,
    kind text not null check (kind in ('ingest', 'delete_document', 'delete_tenant')),
    tenant_id uuid not null references tenants (id) on delete cascade,
    document_id uuid references documents (id) on delete cascade,
    attempts integer not null default 0,
    run_at timestamptz not null default now(),
    -- Who works on it, and until when that may be believed.
    worker uuid,
    leased_until timestamptz,
    created_at timestamptz not null default now(),
    check ((document_id is null) = (kind = 'delete_tenant'))
);

create unique index jobs_one_each_idx on jobs (kind, tenant_id, document_id) nulls not distinct;
create index jobs_run_at_idx on jobs (run_at);

-- Whoever shows documents hears of changes instead of asking again and again; the payload is the tenant.
create function tell_documents() returns trigger language plpgsql as $$
begin
    perform pg_notify('documents', coalesce(new.tenant_id, old.tenant_id)::text);
    return null;
end
$$;

create trigger documents_tell after insert or update or delete on documents
    for each row execute function tell_documents();

create function tell_jobs() returns trigger language plpgsql as $$
begin
    perform pg_notify('jobs', '');
    return null;
end
$$;

create trigger jobs_tell after insert on jobs for each statement execute function tell_jobs();
