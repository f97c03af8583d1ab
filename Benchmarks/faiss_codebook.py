# SPDX-License-Identifier: Apache-2.0
"""Nearest codewords a second, one thread, beside faiss (IndexFlatL2, exact): the same vectors and codebooks, in turns in one run, the indices compared.

    python Benchmarks/faiss_codebook.py [--clang CLANG]     needs faiss-cpu (pip install faiss-cpu) and clang

The kernels are compiled for this, behind one function. Times are of the thread's processor, the best of the rounds; billions of distances a second.
"""
import argparse
import ctypes
import os
import subprocess
import tempfile
import time
from pathlib import Path

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[name] = "1"
import faiss  # noqa: E402
import numpy as np  # noqa: E402

KERNELS = Path(__file__).resolve().parent.parent / "Sources" / "CKernels"
SEARCH = r"""
#include "CKernels.h"
int pack(const float *rows, size_t n, size_t codewords, float *packed, nck_codebook *codebook) { return nck_codebook_pack(rows, n, codewords, packed, codebook); }
size_t size(size_t n, size_t codewords) { return nck_codebook_size(n, codewords); }
void search(const nck_codebook *codebook, const float *in, int32_t *indices, size_t count) {
    const nck_kernels *kernels;
    if (nck_select(0, &kernels) == NCK_SELECTED) kernels->quantizers.codebook(codebook, in, indices, 0, 0, count);
}
"""


def compiled(clang, folder):
    source, library = Path(folder) / "search.c", Path(folder) / "search.so"
    source.write_text(SEARCH)
    subprocess.run([clang, "-std=c2x", "-O2", "-shared", "-fPIC", f"-I{KERNELS / 'include'}", source, *KERNELS.glob("*.c"), "-lm", "-o", library], check=True)
    return ctypes.CDLL(str(library))


def floats(array):
    return array.ctypes.data_as(ctypes.c_void_p)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--clang", default="clang")
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    faiss.omp_set_num_threads(1)
    generator = np.random.default_rng(1)
    with tempfile.TemporaryDirectory() as folder:
        library = compiled(options.clang, folder)
    library.size.restype = ctypes.c_size_t
    print(f"faiss {faiss.__version__} ({faiss.get_compile_options().strip()})\n{'n':>4} {'codewords':>10} {'ours':>8} {'faiss':>8} {'ratio':>7}   same indices")
    for n in (8, 16, 32):
        for codewords in (256, 4096, 65536):
            rows = generator.standard_normal((codewords, n), dtype=np.float32)
            x = generator.standard_normal((int(4e7 / codewords) + 48, n), dtype=np.float32)
            packed = np.empty(library.size(ctypes.c_size_t(n), ctypes.c_size_t(codewords)), np.float32)
            codebook = (ctypes.c_size_t * 4)()
            assert library.pack(floats(rows), ctypes.c_size_t(n), ctypes.c_size_t(codewords), floats(packed), codebook) == 0
            index = faiss.IndexFlatL2(n)
            index.add(rows)
            found = np.empty(len(x), np.int32)
            ours = theirs = 1e9
            for _ in range(options.rounds):
                start = time.thread_time()
                library.search(codebook, floats(x), floats(found), ctypes.c_size_t(len(x)))
                middle = time.thread_time()
                _, expected = index.search(x, 1)
                theirs = min(theirs, time.thread_time() - middle)
                ours = min(ours, middle - start)
            work = len(x) * codewords * 1e-9
            same = np.mean(found == expected[:, 0])
            print(f"{n:4} {codewords:10} {work / ours:8.2f} {work / theirs:8.2f} {theirs / ours:7.1f}   {100 * same:.3f} %", flush=True)


if __name__ == "__main__":
    main()
