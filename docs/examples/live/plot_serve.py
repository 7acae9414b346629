"""
==================================
A shop and its service
==================================

A made-up shop sells to four kinds of customers: bakers, gardeners, painters and cyclists. A service answers in this
script, over HTTP, on a database in a temporary folder. The shop sends its catalogue and its events, uploads a model,
and shows what a visitor is recommended before and after each click: an event counts in the next answer.

``skrec serve`` starts the same service from the command line, with a process beside it that updates the model.
"""

import tempfile
import threading
import time
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import uvicorn

import skrec
from skrec.feature_extraction import to_histories
from skrec.neighbors import ItemKNN
from skrec.serving import Client, create_app

temporary = tempfile.TemporaryDirectory()
folder = Path(temporary.name)
app = create_app(database=f"sqlite:///{folder / 'shop.db'}", models=str(folder / "models"), page=False, trainer=False)
server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None))  # port 0 takes a free one
thread = threading.Thread(target=server.run)
thread.start()
while not server.started:
    time.sleep(0.02)
client = Client(f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}")
print("ready:", client.ready())

# %%
# The catalogue and the log
# -------------------------
#
# 300 customers, each of one kind, buy mostly what is of their kind.

shop = {
    "baking": ["flour", "yeast", "sugar", "whisk", "cake tin", "rolling pin"],
    "garden": ["spade", "seeds", "gloves", "watering can", "compost", "flower pot"],
    "painting": ["brush", "canvas", "oil paint", "easel", "palette", "varnish"],
    "cycling": ["helmet", "inner tube", "pump", "bell", "lamp", "chain oil"],
}
generator = np.random.default_rng(0)
rows = [
    {"item": name, "name": name.capitalize(), "category": kind, "price": float(generator.integers(2, 60)), "stock": 5}
    for kind, names in shop.items()
    for name in names
]
print(client.put_items(rows))

everything, kinds = [row["item"] for row in rows], list(shop)
now = pd.Timestamp.now("UTC").floor("s")
events = []
for user in range(300):
    own = shop[kinds[user % 4]]
    for _ in range(generator.integers(3, 9)):
        item = generator.choice(own if generator.random() < 0.85 else everything)
        moment = now - pd.Timedelta(minutes=int(generator.integers(60, 30 * 24 * 60)))
        events.append({"user": f"customer-{user}", "item": str(item), "event": "purchase", "time": moment})
    # an id of its own makes an event safe to send again
events = [{"id": f"order-{number}", **event} for number, event in enumerate(events)]
print(client.events(events))
print(client.events(events[:2]), "the second time")

# %%
# The model
# ---------
#
# Without a model, an answer is what most users had in the last days, and says so. The model is a file, as `skrec fit`
# writes it too.

answer = client.recommend("visitor-1")
print("fallback:", answer.fallback, "-", answer.reason)

table = pd.DataFrame(events)
histories = to_histories(table, user="user", item="item", time="time")
path = skrec.save(ItemKNN(k=4, incremental=True).fit(histories), folder / "model.skrec")
version = client.upload_model(path)["version"]
print(client.promote(version))

# %%
# Before and after
# ----------------
#
# A visitor, of whom nothing is known at first, clicks on three items. The bars count the six recommended items by
# category.

clicks = ["brush", "canvas", "inner tube"]
category = {row["item"]: row["category"] for row in rows}
shares = []
for click in [None, *clicks]:
    if click is not None:
        client.events({"user": "visitor-1", "item": click, "event": "click"})
    answer = client.recommend("visitor-1", k=6, explain=True)
    found = pd.Series([category[item] for item in answer.items]).value_counts()
    shares.append(found.reindex(kinds, fill_value=0))
    print(f"{click or 'nothing yet':12} -> {', '.join(answer.items)}")

bars = pd.DataFrame(shares, index=["before", *(f"then\n{click}" for click in clicks)])
figure, axis = plt.subplots(figsize=(7, 4), layout="constrained")
bottom = np.zeros(len(bars))
for kind in kinds:
    axis.bar(bars.index, bars[kind], bottom=bottom, label=kind)
    bottom += bars[kind].to_numpy()
axis.set(ylabel="Items among the six recommended", title="What a visitor is recommended, click by click")
axis.legend(title="Category", loc="upper left", bbox_to_anchor=(1, 1))

# %%
# Each item says which items of the history brought it.

for row in answer.rows[:3]:
    print(row["item"], [(reason["item"], reason["share"]) for reason in row["because"]])

# %%
# The shop's rules
# ----------------
#
# Stock, price and visibility hold from the next answer on; so do filters and rules.

best = answer.items[0]
client.patch_items([{"item": best, "stock": 0}])
print("in stock:     ", client.recommend("visitor-1", k=4, filter={"in_stock": True}).items, "without", best)
print("up to 20:     ", client.recommend("visitor-1", k=4, filter={"price": {"max": 20}}).items)
client.put_rules("home", {"pin": ["bell"], "max_per_category": 1})
print("rules of home:", client.recommend("visitor-1", k=4, scenario="home").items)
print("similar:      ", client.similar("easel", k=3).items)
print("basket:       ", client.basket(["flour", "whisk"], k=3).items)

# %%
# A visitor logs in
# -----------------
#
# The events of the visitor go to the customer, and later ones too. A customer who wants to be forgotten is deleted.

print(client.merge_users("visitor-1", "customer-7"))
print(client.recommend("customer-7", k=4).items)
print(client.delete_user("customer-9"), "and no events are left:", client.export_user("customer-9")["events"])

# %%
# The counters, and the end: what was acknowledged is on the disk.

status = client.status()
print({name: status[name] for name in ("requests", "events", "fallbacks", "store")})
client.close()
server.should_exit = True
thread.join()
temporary.cleanup()
