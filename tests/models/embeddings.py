"""An OpenAI-compatible embedding server with a small real model, for demonstrations and tests on one machine.

In: POST /v1/embeddings. Out: vectors, as OpenAI's API gives them. Started with `--port 0` it takes a free port and prints
{"url": …, "model": …, "dimensions": …} when it is ready; `--self-test` says whether the model knows what is alike, and ends.
"""

import argparse
import base64
import os
import pathlib
import sys

from minilm import DIMENSIONS, NAME, Busy, Model
from openai_http import ApiError, Server, serve

MOST_INPUTS = 2048
# Pairs of sentences, and whether they speak of the same thing.
PAIRS = [
    ("A tenant's database is deleted.", "The customer's data store is removed.", True),
    ("How do I reset my password?", "Steps to recover access to an account", True),
    ("The cat sleeps on the sofa.", "A kitten naps on the couch.", True),
    ("The cat sleeps on the sofa.", "Interest rates rose by half a percent.", False),
    ("How do I reset my password?", "The recipe needs two cups of flour.", False),
]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weights", type=pathlib.Path, required=True, help="folder with model.onnx and tokenizer.json")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--api-key", default=os.environ.get("EMBEDDING_SERVER_KEY"), help="or EMBEDDING_SERVER_KEY; left out, none is asked for")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--self-test", action="store_true")
    args = parser.parse_args()
    model = Model(args.weights, args.threads)
    if args.self_test:
        return self_test(model)
    model.embed(["The first text takes longer than the others."])
    routes = {
        "/v1/embeddings": {"POST": lambda request: embed(model, request)},
        "/v1/models": {"GET": lambda: {"object": "list", "data": [ABOUT]}},
        f"/v1/models/{NAME}": {"GET": lambda: ABOUT},
        "/healthz": {"GET": lambda: {"status": "ok"}},
    }
    server = Server((args.host, args.port), routes, args.api_key)
    serve(server, {"model": NAME, "dimensions": DIMENSIONS})
    return 0


ABOUT = {"id": NAME, "object": "model", "created": 1630000000, "owned_by": "sentence-transformers"}


def embed(model, request):
    name = request.get("model")
    if not isinstance(name, str):
        raise ApiError(400, "you must provide a model parameter", param="model")
    if name != NAME:
        raise ApiError(404, f"The model `{name}` does not exist; this server has `{NAME}`.", "model_not_found")
    if request.get("dimensions", DIMENSIONS) != DIMENSIONS:
        raise ApiError(400, f"This model gives {DIMENSIONS} dimensions and cannot give another number.", param="dimensions")
    form = request.get("encoding_format", "float")
    if form not in ("float", "base64"):
        raise ApiError(400, f"'{form}' is not one of ['float', 'base64'] - 'encoding_format'", param="encoding_format")
    try:
        vectors, tokens = model.embed(texts_of(request))
    except Busy:
        raise ApiError(429, "Too many texts are waiting; try again soon.", "rate_limit_exceeded", kind="requests") from None
    data = [
        {"object": "embedding", "index": index, "embedding": encoded(vector, form)}
        for index, vector in enumerate(vectors)
    ]
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return {"object": "list", "data": data, "model": NAME, "usage": usage}


def texts_of(request):
    given = request.get("input")
    texts = [given] if isinstance(given, str) else given
    if not isinstance(texts, list) or not texts:
        raise ApiError(400, "'input' must be a text or a list of texts, and not empty.", param="input")
    if len(texts) > MOST_INPUTS:
        raise ApiError(400, f"'input' has {len(texts)} texts; at most {MOST_INPUTS} are taken at once.", param="input")
    if not all(isinstance(text, str) for text in texts):
        raise ApiError(400, "'input' must hold texts; lists of tokens are not supported here.", param="input")
    if not all(texts):
        raise ApiError(400, "'input' must not hold an empty text.", param="input")
    # Half a surrogate pair is valid in JSON and not in UTF-8.
    return [text.encode("utf-8", "replace").decode() for text in texts]


def encoded(vector, form):
    if form == "base64":
        return base64.b64encode(vector.astype("<f4").tobytes()).decode()
    return [float(number) for number in vector]


def self_test(model):
    texts = [text for left, right, _ in PAIRS for text in (left, right)]
    vectors, _ = model.embed(texts)
    wrong = 0
    for index, (left, right, alike) in enumerate(PAIRS):
        cosine = float(vectors[2 * index] @ vectors[2 * index + 1])
        right_so = cosine > 0.45 if alike else cosine < 0.2
        wrong += not right_so
        print(f"{'ok' if right_so else 'WRONG':5} {cosine:6.3f}  {left}  |  {right}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
