"""The loader of Fashion-MNIST, on small files in the published format and on the package's own."""

import gzip

import numpy as np
import pytest

from skrec.datasets import load_fashion_mnist


def write(folder, zipped=True, n_labels=3):
    rng = np.random.default_rng(0)
    suffix, pack = (".gz", gzip.compress) if zipped else ("", bytes)
    for part in ("train", "t10k"):
        head = b"\0\0\x08\3" + b"".join(int(size).to_bytes(4, "big") for size in (3, 28, 28))
        pixels = rng.integers(0, 256, 3 * 28 * 28, dtype=np.uint8)
        (folder / f"{part}-images-idx3-ubyte{suffix}").write_bytes(pack(head + pixels.tobytes()))
        head = b"\0\0\x08\1" + n_labels.to_bytes(4, "big")
        (folder / f"{part}-labels-idx1-ubyte{suffix}").write_bytes(pack(head + bytes(range(n_labels))))
    return folder


@pytest.mark.parametrize("zipped", [True, False])
def test_published_files(tmp_path, zipped):
    data = load_fashion_mnist(write(tmp_path, zipped))
    assert data.X_train.shape == data.X_test.shape == (3, 28, 28)
    assert data.X_train.dtype == data.y_train.dtype == np.uint8
    assert [data.target_names[kind] for kind in data.y_test] == ["T-shirt", "trouser", "pullover"]
    assert data.X_train[0, 0, 0] == np.random.default_rng(0).integers(0, 256, 3 * 28 * 28, dtype=np.uint8)[0]
    assert "Fashion-MNIST" in data.DESCR


def test_errors(tmp_path):
    with pytest.raises(ValueError, match=r"data_home=.* is not in .*: run `apt-get install dataset-fashion-mnist`"):
        load_fashion_mnist(tmp_path)
    write(tmp_path, n_labels=2)
    with pytest.raises(ValueError, match="has 3 pictures and 2 labels to train: get the files again"):
        load_fashion_mnist(tmp_path)
    for damaged in (b"no gzip at all", gzip.compress(b"\0\0\x08\1short")):
        (tmp_path / "train-images-idx3-ubyte.gz").write_bytes(damaged)
        with pytest.raises(ValueError, match="is not an IDX file of Fashion-MNIST"):
            load_fashion_mnist(tmp_path)


def test_the_package_of_debian():
    try:
        data = load_fashion_mnist()
    except ValueError as error:
        pytest.skip(str(error))
    assert data.X_train.shape == (60_000, 28, 28)
    assert np.array_equal(np.bincount(data.y_train), np.full(10, 6_000))
    assert np.array_equal(np.bincount(data.y_test), np.full(10, 1_000))
