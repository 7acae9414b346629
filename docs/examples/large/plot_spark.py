"""
The same model on Spark
=======================

Where a log lies on a cluster, :mod:`skrec.large.spark` makes histories, fits and answers by partition. The estimators
are those of one machine, and so are the results. This page needs Java and ``pip install 'skrec-hybrid[spark]'``; where
they are missing, it shows the code and uses one process.
"""

# %%
# A session
# ---------
#
# On a platform `spark` is there already. Here it runs in this process, on one core. Workers need the interpreter of the
# driver.

import importlib.util
import logging
import os
import shutil
import sys
import warnings

spark = None
if importlib.util.find_spec("pyspark") and shutil.which("java"):
    os.environ["PYSPARK_PYTHON"] = sys.executable
    warnings.filterwarnings("ignore", module="pyspark")  # of pandas 3, which is not used here
    logging.getLogger("pyspark").setLevel(logging.ERROR)
    from pyspark.sql import SparkSession

    settings = {
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.driver.memory": "1g",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",  # small data
        "spark.sql.codegen.wholeStage": "false",
        "spark.sql.shuffle.partitions": "1",
    }
    spark = SparkSession.builder.master("local[1]").config(map=settings).getOrCreate()
    spark.sparkContext.setLogLevel("OFF")
print("Spark", spark.version if spark else "is not installed: the code below runs in one process")

# %%
# Histories and model
# -------------------
#
# A shuffle of the events makes histories; ``fit`` sums statistics by partition and solves on the driver; ``recommend``
# sends the model to the executors once. 400 customers of Online Retail.

import tempfile
from pathlib import Path

import pandas as pd

from skrec.datasets import load_online_retail
from skrec.feature_extraction import to_histories
from skrec.neighbors import ItemKNN

data = load_online_retail()
names = data.item_features["description"].str.capitalize()
customers = data.histories.sample(400, random_state=0).index
events = data.events.loc[data.events["CustomerID"].isin(customers), ["CustomerID", "StockCode", "InvoiceDate"]]
columns = {"user": "CustomerID", "item": "StockCode", "time": "InvoiceDate"}
model = ItemKNN(n_neighbors=50, exclude_seen=False)
folder = tempfile.TemporaryDirectory()
path = str(Path(folder.name) / "events.parquet")
events.astype({"StockCode": object, "InvoiceDate": "datetime64[us]"}).to_parquet(path, index=False)

if spark:
    from skrec.large import spark as on_spark

    histories = on_spark.to_histories(spark.read.parquet(path), **columns).cache()
    fitted = on_spark.fit(model, histories)
    lists = on_spark.recommend(fitted, histories, 5).toArrow().to_pandas()
else:
    histories = to_histories(events, **columns)
    fitted = model.fit(histories)
    lists = pd.DataFrame({"CustomerID": sorted(customers), "items": list(fitted.recommend(histories, 5))})
lists["names"] = [", ".join(names[row].str[:24]) for row in lists["items"]]
lists[["CustomerID", "names"]].head()

# %%
# Equal to one machine
# --------------------

from sklearn.base import clone

local = to_histories(events, **columns)
alone = clone(model).fit(local)
print("items:", (alone.items_ == fitted.items_).all())
print("largest difference of two similarities:", abs(alone.similarity_ - fitted.similarity_).max())

# %%
# The picture: the nearest products of three others, by the similarities of the fitted model.

import matplotlib.pyplot as plt

asked = ["22423", "20725", "85123A"]
near, similarity = fitted.similar_items(asked, k=5, return_scores=True)
figure, axes = plt.subplots(1, 3, figsize=(12, 2.8), layout="constrained")
for axis, item, found, score in zip(axes, asked, near, similarity, strict=True):
    axis.barh(names[found[::-1]], score[::-1], color="#1f5a8a")
    axis.set_title(names[item], fontsize=10, loc="right")
    axis.tick_params(axis="y", labelsize=8)
    axis.set_xlabel("similarity")
    axis.spines[["top", "right"]].set_visible(False)
plt.show()
if spark:
    spark.stop()
folder.cleanup()
