"""Draw the pictures of the page of the service anew: ``python docs/page_pictures.py`` (needs selenium and chromium).

It starts the demo in a temporary folder and writes ``serve_recommendations.png`` and ``serve_drift.png`` to
``docs/_static``. For the second one it sends 1,800 events with ids of another format, a fault of a tracker, to the last
week of the demo's log.
"""

import base64
import io
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
from PIL import Image
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By

from skrec.datasets import load_online_retail
from skrec.serving import Client

FOLDER = Path(__file__).parent / "_static"
CUSTOMER = 16201
SECONDS = 40  # of requests of others, so that the counters show some
N_COLOURS = 96
N_FAULTS = 1800
WEEK = datetime(2011, 12, 5, tzinfo=UTC)


def wait_for(found, seconds=180):
    """Wait until something is there, and return it."""
    end = time.monotonic() + seconds
    while not (value := found()):
        if time.monotonic() > end:
            raise TimeoutError("the service did not come to it")
        time.sleep(0.5)
    return value


def is_ready(client):
    """Tell whether the service answers and has judged drift."""
    try:
        return client.drift()["judged"] is not None
    except Exception:
        return False


def save_picture(driver, name):
    """Save what the browser shows as a PNG of few colours: the most frequent ones, saturated ones among them."""
    time.sleep(1.0)
    size = driver.execute_script("return [document.documentElement.clientWidth, document.documentElement.scrollHeight]")
    clip = {"x": 0, "y": 0, "width": size[0], "height": size[1], "scale": 1}
    shot = driver.execute_cdp_cmd("Page.captureScreenshot", {"captureBeyondViewport": True, "clip": clip})
    pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(shot["data"]))).convert("RGB"))
    colours, place, counts = np.unique(pixels.reshape(-1, 3), axis=0, return_inverse=True, return_counts=True)
    order = np.argsort(-counts)
    first, rest = order[: N_COLOURS * 3 // 4], order[N_COLOURS * 3 // 4 :]
    is_saturated = np.ptp(colours[rest].astype(int), axis=1) > 40
    palette = colours[np.concatenate([first, rest[is_saturated][: N_COLOURS - len(first)]])]
    distances = np.square(colours[:, None].astype(int) - palette[None].astype(int)).sum(axis=2)
    image = Image.fromarray(distances.argmin(axis=1)[place].reshape(pixels.shape[:2]).astype(np.uint8))
    image.putpalette(palette.tobytes())
    image.save(FOLDER / name, optimize=True)
    print(FOLDER / name, f"{(FOLDER / name).stat().st_size / 1000:.0f} kB")


def draw(driver, client, url):
    """Use the page as a person does, and save its pictures."""

    def click(selector, place=0):
        wait_for(lambda: len(driver.find_elements(By.CSS_SELECTOR, selector)) > place)
        driver.find_elements(By.CSS_SELECTOR, selector)[place].click()

    def rest_at(identifier):
        driver.execute_script("document.activeElement.blur()")
        ActionChains(driver).move_to_element(driver.find_element(By.ID, identifier)).perform()

    rng = random.Random(0)
    histories = load_online_retail().histories
    users = histories.index[np.argsort([-len(items) for items in histories["item"]])[:50]].tolist()
    driver.get(url)
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        client.recommend(rng.choice(users))
        time.sleep(0.04)
    driver.execute_script("document.getElementById('option-k').value = 6")
    click("#option-repeats")
    search = driver.find_element(By.ID, "customer-search")
    search.send_keys(f"{CUSTOMER}\n")
    wait_for(lambda: str(CUSTOMER) in driver.find_element(By.ID, "answer-title").text)
    time.sleep(1.0)
    click("#answer button", 1)
    wait_for(lambda: "Since the last" in driver.find_element(By.ID, "answer-summary").text)
    search.clear()
    rest_at("as-of")
    save_picture(driver, "serve_recommendations.png")

    items = [row["item"] for row in client.items(limit=100)["items"]]
    events = [
        {"user": rng.choice(users), "item": f"sku-{rng.choice(items)}", "id": f"fault-{number}"}
        | {"time": (WEEK + timedelta(days=7) * (number + 0.5) / N_FAULTS).isoformat()}
        for number in range(N_FAULTS)
    ]
    for start in range(0, N_FAULTS, 100):
        client.events(events[start : start + 100])
    driver.get(f"{url}#drift")
    click("#drift-judge")
    wait_for(lambda: "just now" in driver.find_element(By.ID, "drift-note").text)
    rest_at("drift-weeks-title")
    save_picture(driver, "serve_drift.png")


def main():
    """Start the demo and the browser."""
    with socket.create_server(("127.0.0.1", 0)) as one:
        port = one.getsockname()[1]
    url = f"http://127.0.0.1:{port}/"
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium")
    for argument in (
        "--headless=new",
        "--no-sandbox",
        "--hide-scrollbars",
        "--lang=en-US",
        "--force-prefers-reduced-motion",
    ):
        options.add_argument(argument)
    with tempfile.TemporaryDirectory() as folder:
        where = ["--port", str(port), "--database", f"sqlite:///{folder}/shop.db", "--models", f"{folder}/models"]
        service = subprocess.Popen([sys.executable, "-m", "skrec.cli", "serve", "--demo", *where], cwd=folder)
        driver = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
        try:
            metrics = {"width": 1280, "height": 860, "deviceScaleFactor": 1, "mobile": False}
            driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
            client = Client(url)
            wait_for(lambda: is_ready(client))
            draw(driver, client, url)
        finally:
            driver.quit()
            service.terminate()
            service.wait(30)


if __name__ == "__main__":
    main()
