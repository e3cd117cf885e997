"""Seeds for the fuzzers of ONNX models: the onnx package's own node tests, small enough ones, and small models of the graph fuzzer's generator,
each a file in the folder named. Run by ./dev fuzz; nothing of it is stored in the repository."""
import pathlib
import sys
import warnings

MOST_BYTES, MODELS = 4096, 300


def node_models():
    from onnx.backend.test.loader import load_model_tests

    for case in load_model_tests(kind="node"):
        if case.model is not None:
            yield case.name, case.model.SerializeToString()


def random_models():
    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "graphs"))
    from generate import generate
    from oracle import Oracle

    oracle = Oracle()
    for seed in range(MODELS):
        made = generate(oracle, seed)
        if made:
            yield f"random_{seed}", made[0].SerializeToString()


def main(folder):
    warnings.simplefilter("ignore")
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    seen = set()
    for make in (node_models, random_models):
        try:
            for name, data in make():
                if len(data) <= MOST_BYTES and data not in seen:
                    seen.add(data)
                    (folder / name).write_bytes(data)
        except ImportError as e:
            print(f"{make.__name__}: {e}")
    print(f"{len(seen)} seeds in {folder}")


if __name__ == "__main__":
    main(sys.argv[1])
