"""A Spark session in local mode, with tasks that may fail three times."""

import os
import shutil
import sys

import pytest

REASON = "ignore:PySpark does not yet fully support pandas:FutureWarning"  # of calls that pass Arrow data alone


def pytest_collection_modifyitems(items):
    for item in items:
        if item.path.name.startswith("test_spark"):
            item.add_marker(pytest.mark.filterwarnings(REASON))


@pytest.fixture(scope="session")
def java():
    """Skip tests of Spark where it cannot run."""
    pytest.importorskip("pyspark", reason="pyspark is not installed: pip install 'skrec-hybrid[spark]'")
    if shutil.which("java") is None and not os.environ.get("JAVA_HOME"):
        pytest.skip("Spark needs Java 17 or later, and there is none: apt-get install openjdk-17-jre-headless")


@pytest.fixture(scope="session")
def spark(java):
    os.environ["PYSPARK_PYTHON"] = sys.executable  # workers need the packages of the driver
    os.environ.pop("SPARK_REMOTE", None)
    from pyspark.sql import SparkSession

    options = {  # to be set before the session starts
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.driver.memory": "1g",
        "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",  # data are small
        "spark.sql.codegen.wholeStage": "false",
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
