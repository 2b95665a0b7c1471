-- The first schema of every tenant database: passages of documents with their embeddings.
--
-- The number of dimensions is the tenant's (spec.vector.dimensions). It reaches plain SQL as the session setting
-- `tenantry.dimensions`, and DDL through `execute format`, because a type modifier cannot be a parameter.

create extension if not exists vector;

create table embeddings (
    id bigint generated always as identity primary key,
    -- The document that the passage is from, and the passage's place in it.
    document_id uuid not null,
    position integer not null check (position >= 0),
    -- The pages that the passage stands on, first to last; null where the document has none.
    page_first integer check (page_first >= 1),
    page_last integer check (page_last >= page_first),
    content text not null,
    metadata jsonb not null default '{}'::jsonb,
    content_tsv tsvector generated always as (to_tsvector('english', content)) stored,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);

do $$
declare
    dimensions constant integer := current_setting('tenantry.dimensions')::integer;
begin
    execute format('alter table embeddings add column embedding vector(%s) not null', dimensions);
    if dimensions <= 2000 then
        create index embeddings_embedding_idx on embeddings using hnsw (embedding vector_cosine_ops);
    else
        -- An HNSW index over `vector` ends at 2,000 dimensions, over `halfvec` at 4,000. A query must use the
        -- same expression: `embedding::halfvec(n) <=> $1::halfvec(n)`.
        execute format(
            'create index embeddings_embedding_idx on embeddings using hnsw ((embedding::halfvec(%s)) halfvec_cosine_ops)',
            dimensions
        );
    end if;
end
$$;

create index embeddings_content_idx on embeddings using gin (content_tsv);

-- A document's passages in order; a position is there once, so a repeated write cannot double it.
create unique index embeddings_document_position_idx on embeddings (document_id, position);
