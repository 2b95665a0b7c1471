-- Conversations about documents. They are here, beside the passages that they quote, so that one deletion removes all of a
-- tenant's content, and one region holds it.

create table conversations (
    -- Chosen by the person's browser, so that a question can be sent before anything is known here.
    id text primary key check (id ~ '^[A-Za-z0-9_-]{1,64}$'),
    -- The member of the tenant who talks; others do not see it.
    user_id uuid not null,
    -- The only document that it is about; null where it is about all.
    document_id uuid,
    title text not null check (length(title) between 1 and 200),
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);

create index conversations_user_idx on conversations (user_id, updated_at desc);

create table messages (
    conversation_id text not null references conversations (id) on delete cascade,
    id text not null check (id ~ '^[A-Za-z0-9_-]{1,64}$'),
    -- Its place in the conversation, from 0.
    place integer not null check (place >= 0),
    role text not null check (role in ('user', 'assistant')),
    content text not null default '',
    -- The passages that an answer was made from, as the browser got them.
    sources jsonb not null default '[]'::jsonb,
    -- What a person should know about how the answer came about, such as that no model was there.
    note text,
    state text not null default 'done' check (state in ('answering', 'done', 'stopped', 'failed')),
    -- Why it failed, for the person.
    failure_words text,
    model text,
    feedback smallint not null default 0 check (feedback in (-1, 0, 1)),
    -- While it is being answered: whether somebody asked to stop, and when whoever writes it was last known to live.
    stop_requested boolean not null default false,
    alive_at timestamptz not null default now(),
    created_at timestamptz not null default now(),
    primary key (conversation_id, id)
);

create unique index messages_place_idx on messages (conversation_id, place);

-- One answer at a time in each conversation, whichever process writes it.
create unique index messages_answering_idx on messages (conversation_id) where state = 'answering';

-- What has been sent of an answer, in the form in which it was sent: a reader who comes later, or by another process, begins
-- here. Kept until the conversation goes on.
create table answer_pieces (
    conversation_id text not null,
    message_id text not null,
    place integer not null check (place >= 0),
    -- Events, one JSON object a line.
    events text not null,
    primary key (conversation_id, message_id, place),
    foreign key (conversation_id, message_id) references messages (conversation_id, id) on delete cascade
);
