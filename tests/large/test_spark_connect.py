"""The same functions with Spark Connect, which has no Spark context in the client."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest


def test_spark_connect(java):
    for name in ("grpc", "grpc_status", "google.rpc", "zstandard"):
        if importlib.util.find_spec(name.partition(".")[0]) is None:
            pytest.skip(f"{name} is not installed: pip install 'pyspark[connect]'")
    program = Path(__file__).with_name("spark_connect.py")
    environment = {**os.environ, "PYSPARK_PYTHON": sys.executable, "SPARK_LOCAL_IP": "127.0.0.1"}
    done = subprocess.run([sys.executable, program], env=environment, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.strip().endswith("equal")
