"""A Spark session in local mode, with tasks that may fail three times."""

import os
import shutil
import sys

import pytest

REASON = "ignore:PySpark does not yet fully support pandas:FutureWarning"  # of calls that pass Arrow data alone


def missing():
    """Return why Spark cannot run here, None where it can."""
    if shutil.which("java") is None and not os.environ.get("JAVA_HOME"):
        return "Spark needs Java, and there is none: apt-get install openjdk-17-jre-headless"
    try:
        import pyspark  # noqa: F401
    except ImportError:
        return "pyspark is not installed: pip install 'skrec-hybrid[spark]'"
    return None


def pytest_collection_modifyitems(items):
    for item in items:
        if item.path.parent.name == "large":
            item.add_marker(pytest.mark.filterwarnings(REASON))


@pytest.fixture(scope="session")
def spark():
    if (reason := missing()) is not None:
        pytest.skip(reason)
    os.environ["PYSPARK_PYTHON"] = sys.executable  # workers need the packages of the driver
    os.environ.pop("SPARK_REMOTE", None)
    from pyspark.sql import SparkSession

    options = {
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.driver.memory": "1g",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.host": "127.0.0.1",
        "spark.sql.shuffle.partitions": "4",
        "spark.sql.session.timeZone": "America/New_York",  # moments must not depend on it
        "spark.sql.execution.arrow.maxRecordsPerBatch": "50",
    }
    builder = SparkSession.builder.master("local[2,4]")
    for name, value in options.items():
        builder = builder.config(name, value)
    session = builder.getOrCreate()
    session.sparkContext.setLogLevel("OFF")
    yield session
    session.stop()
