"""The embedding model: text in, unit vectors of 384 numbers out.

In: a folder with `model.onnx` and `tokenizer.json`, texts. Out: one vector per text, and how many tokens were read. Few
threads compute for everybody, each one text at a time (batches are no faster on few cores, and with int8 weights a text's
vector would depend on its neighbours), short requests first: a question does not wait behind a book. It must not know HTTP.
"""

import itertools
import queue
import threading
from concurrent.futures import Future

import numpy
import onnxruntime
from tokenizers import Tokenizer

NAME = "all-MiniLM-L6-v2"
DIMENSIONS = 384
# The model was trained on no more; what is longer is cut, as its authors do.
MAX_TOKENS = 256
MOST_WAITING = 8192
SHORT_REQUEST = 4


class Busy(Exception):
    """More texts wait than this machine can embed in a reasonable time."""


class Model:
    def __init__(self, folder, threads=2):
        options = onnxruntime.SessionOptions()
        # Two texts on a thread each are embedded sooner than one after the other on two threads.
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(
            str(folder / "model.onnx"), options, providers=["CPUExecutionProvider"]
        )
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.tokenizer.no_padding()
        self.tokenizer.enable_truncation(MAX_TOKENS)
        self.work = queue.PriorityQueue()
        self.order = itertools.count()
        self.waiting = 0
        self.lock = threading.Lock()
        for _ in range(threads):
            threading.Thread(target=self._compute, daemon=True).start()

    def embed(self, texts):
        """Vectors in the order of `texts`, and the number of tokens. Raises `Busy`."""
        with self.lock:
            if self.waiting and self.waiting + len(texts) > MOST_WAITING:
                raise Busy
            self.waiting += len(texts)
        try:
            encodings = self.tokenizer.encode_batch(texts)
            priority = 0 if len(texts) <= SHORT_REQUEST else 1
            futures = [Future() for _ in encodings]
            for encoding, future in zip(encodings, futures):
                self.work.put((priority, next(self.order), encoding.ids, future))
            vectors = [future.result() for future in futures]
            return vectors, sum(len(encoding.ids) for encoding in encodings)
        finally:
            with self.lock:
                self.waiting -= len(texts)

    def _compute(self):
        while True:
            _, _, ids, future = self.work.get()
            try:
                future.set_result(self._run(ids))
            except Exception as error:  # whoever asked is told; the thread serves the others
                future.set_exception(error)

    def _run(self, ids):
        tokens = numpy.array([ids], dtype=numpy.int64)
        inputs = {
            "input_ids": tokens,
            "attention_mask": numpy.ones_like(tokens),
            "token_type_ids": numpy.zeros_like(tokens),
        }
        (states,) = self.session.run(["last_hidden_state"], inputs)
        mean = states[0].mean(axis=0)
        return mean / numpy.linalg.norm(mean)
