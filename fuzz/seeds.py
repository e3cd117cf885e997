"""Seeds for the fuzzers of ONNX models: the onnx package's own node tests, small enough ones, each a file in the folder named.
Run by ./dev fuzz; nothing of it is stored in the repository."""
import pathlib
import sys

MOST_BYTES = 4096


def node_models():
    from onnx.backend.test.loader import load_model_tests

    for case in load_model_tests(kind="node"):
        if case.model is not None:
            yield case.name, case.model.SerializeToString()


def main(folder):
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    seen = set()
    for name, data in node_models():
        if len(data) <= MOST_BYTES and data not in seen:
            seen.add(data)
            (folder / name).write_bytes(data)
    print(f"{len(seen)} seeds in {folder}")


if __name__ == "__main__":
    main(sys.argv[1])
