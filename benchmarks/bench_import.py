"""What importing skrec costs beyond scikit-learn: median of fresh interpreters.

python benchmarks/bench_import.py
"""

import statistics
import subprocess
import sys

TIMED = "import time; s = time.perf_counter(); {}; print(time.perf_counter() - s)"
CASES = {
    "import skrec": "import skrec",
    "import skrec after sklearn.base": "import skrec",
    "from skrec.linear_model import EASE, after sklearn.base": "from skrec.linear_model import EASE",
    "import sklearn.base, for comparison": "import sklearn.base",
}


def main():
    for name, statement in CASES.items():
        before = "import sklearn.base, sklearn.pipeline, scipy.linalg; " if "after" in name else ""
        code = before + TIMED.format(statement)
        runs = [
            float(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)
            for _ in range(7)
        ]
        print(f"{name:60}{statistics.median(runs):8.4f} s")


if __name__ == "__main__":
    main()
