"""The embedding server as its clients see it. Run: `python3 -m unittest` here, with PYTHONPATH and MODEL_WEIGHTS set."""

import base64
import json
import os
import struct
import subprocess
import sys
import threading
import time
import unittest
import urllib.error
import urllib.request

KEY = "test-key"


class Embeddings(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        here = os.path.dirname(os.path.abspath(__file__))
        command = [sys.executable, os.path.join(here, "embeddings.py"), "--weights", os.environ["MODEL_WEIGHTS"]]
        cls.server = subprocess.Popen([*command, "--api-key", KEY], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        cls.ready = json.loads(cls.server.stdout.readline())

    @classmethod
    def tearDownClass(cls):
        cls.server.terminate()
        code = cls.server.wait(10)
        cls.server.stdout.close()
        assert code == 0, f"SIGTERM ended it with {code}"

    def ask(self, path, body=None, key=KEY):
        data = None if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        request = urllib.request.Request(self.ready["url"] + path, data, {"Authorization": f"Bearer {key}"})
        try:
            with urllib.request.urlopen(request, timeout=60) as reply:
                return reply.status, json.load(reply)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.load(error)

    def vectors(self, texts, **more):
        status, reply = self.ask("/v1/embeddings", {"model": self.ready["model"], "input": texts, **more})
        self.assertEqual(status, 200, reply)
        return [item["embedding"] for item in reply["data"]]

    def refused(self, status, words, key=KEY, **request):
        got, reply = self.ask("/v1/embeddings", request, key)
        self.assertEqual(got, status, reply)
        self.assertIn(words, reply["error"]["message"])
        self.assertEqual(set(reply["error"]), {"message", "type", "param", "code"})
        return reply["error"]

    def test_one_text_and_many(self):
        status, reply = self.ask("/v1/embeddings", {"model": self.ready["model"], "input": "Hello"})
        self.assertEqual((status, reply["object"], reply["model"]), (200, "list", self.ready["model"]))
        self.assertEqual(reply["usage"], {"prompt_tokens": 3, "total_tokens": 3})
        many = self.vectors(["a longer text about something else " * 9, "Hello"])
        self.assertEqual(many[1], reply["data"][0]["embedding"], "a text's vector depends on its neighbours")
        self.assertEqual([len(vector) for vector in many], [384, 384])
        self.assertAlmostEqual(sum(number * number for number in many[0]), 1, places=4)

    def test_base64_holds_the_same_numbers(self):
        (numbers,) = self.vectors("Hello")
        (text,) = self.vectors("Hello", encoding_format="base64")
        self.assertEqual(list(struct.unpack("<384f", base64.b64decode(text))), numbers)

    def test_what_is_too_long_is_cut(self):
        long, longer = self.vectors(["word " * 300, "word " * 9000])
        self.assertEqual(long, longer)

    def test_every_script_and_control_character_is_taken(self):
        self.assertEqual(len(self.vectors(["数据库", "база данных", "\u0000\u0001", " ", "\ud800", "👩‍🚀" * 500])), 6)

    def test_bad_requests_are_explained(self):
        model = self.ready["model"]
        self.refused(400, "model parameter", input="x")
        self.assertEqual(self.refused(404, "does not exist", model="x", input="x")["code"], "model_not_found")
        self.refused(400, "not empty", model=model, input=[])
        self.refused(400, "not empty", model=model)
        self.refused(400, "empty text", model=model, input=["x", ""])
        self.refused(400, "tokens are not supported", model=model, input=[1, 2])
        self.refused(400, "at most 2048", model=model, input=["x"] * 2049)
        self.refused(400, "384 dimensions", model=model, input="x", dimensions=512)
        self.refused(400, "not one of", model=model, input="x", encoding_format="hex")
        self.assertEqual(self.refused(401, "Incorrect API key", key="wrong", model=model, input="x")["code"], "invalid_api_key")
        self.assertEqual(self.ask("/v1/embeddings", b"{")[0], 400)
        self.assertEqual(self.ask("/v1/embeddings", b"[]")[0], 400)
        self.assertEqual(self.ask("/v1/embeddings")[0], 405)
        self.assertEqual(self.ask("/v2")[0], 404)

    def test_the_model_is_listed(self):
        self.assertEqual(self.ask("/v1/models")[1]["data"][0]["id"], self.ready["model"])
        self.assertEqual(self.ask("/v1/models/" + self.ready["model"])[0], 200)
        self.assertEqual(self.ask("/healthz", key="")[0], 200)

    def test_a_question_does_not_wait_behind_a_book(self):
        book = threading.Thread(target=self.vectors, args=(["a page of a long book, " * 60] * 96,))
        book.start()
        started, asked = time.monotonic(), 0
        while book.is_alive() and asked < 5:
            self.vectors("Where is it written?")
            asked += 1
        self.assertTrue(book.is_alive(), "the book was read before five questions were answered")
        self.assertLess((time.monotonic() - started) / asked, 0.5)
        book.join()


if __name__ == "__main__":
    unittest.main()
