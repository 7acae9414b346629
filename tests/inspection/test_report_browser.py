"""The report in a real browser: narrow screens, the search, hostile names, printing, and no script."""

import shutil

import pandas as pd
import pytest

webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
pytest.importorskip("matplotlib")

from selenium.webdriver.chrome.service import Service  # noqa: E402

from skrec.datasets import make_histories  # noqa: E402
from skrec.dummy import PopularityRecommender  # noqa: E402
from skrec.inspection import write_report  # noqa: E402
from skrec.linear_model import EASE  # noqa: E402
from skrec.model_selection import compare, split_last  # noqa: E402

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
pytestmark = [
    pytest.mark.skipif(CHROMIUM is None or DRIVER is None, reason="chromium and chromedriver are not installed"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),  # sockets of the driver are closed by its exit
]
EVIL = "</script><img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    X, y = split_last(make_histories(150, 40, random_state=0))
    X.index = [EVIL, "zoë", "w" * 200, *(f"customer {number}" for number in range(3, len(X)))]
    board, details = compare({"EASE": EASE(l2=10), EVIL: PopularityRecommender()}, X, y, return_per_user=True)
    names = {item: f"Product {item}" for item in range(40)} | {7: EVIL, 8: "w" * 200}
    question = {"leaderboard": board, "details": details, "X": X, "y": y, "note": EVIL}
    check = pd.DataFrame([["log", EVIL, "w" * 200, "warning", EVIL, "w" * 200]])
    check.columns = ["group", "fact", "value", "level", "text", "action"]
    options = {"names": names, "categories": names, "check": check, "popularity": dict.fromkeys(range(40), 1)}
    return write_report({EVIL: question}, tmp_path_factory.mktemp("report") / "r.html", title="Report", **options)


@pytest.fixture(scope="module")
def driver():
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for argument in (
        "--headless=new",
        "--no-sandbox",
        "--disable-dev-shm-usage",
        "--disable-background-networking",
        "--host-resolver-rules=MAP * ~NOTFOUND",
    ):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    browser = webdriver.Chrome(options=options, service=Service(DRIVER))
    yield browser
    browser.quit()


def opened(driver, report, width=1200, media="", scheme="light"):
    metrics = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 500}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    feature = {"name": "prefers-color-scheme", "value": scheme}
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": media, "features": [feature]})
    driver.get(report.as_uri())
    return driver


def search(driver, field, text):
    """Type into a field of the search; return its status and the titles and texts of what it shows."""
    return driver.execute_script(
        "const input = document.querySelectorAll('.search input')[arguments[0]]; input.value = arguments[1];"
        "input.dispatchEvent(new Event('input')); const part = input.parentNode;"
        "return [part.querySelector('.status').textContent,"
        "[...part.querySelectorAll('summary')].map((node) => node.textContent),"
        "[...part.querySelectorAll('details')].map((node) => node.textContent)]",
        field,
        text,
    )


@pytest.mark.parametrize(("width", "media"), [(360, ""), (1200, ""), (718, "print")])
def test_the_page_is_not_wider_than_the_screen(driver, report, width, media):
    page = opened(driver, report, width, media)
    shown, wide = page.execute_script("return [innerWidth, document.documentElement.scrollWidth]")
    assert wide <= shown
    hidden = page.execute_script("return getComputedStyle(document.querySelector('.search')).display === 'none'")
    assert hidden == (media == "print")


def test_the_search_finds_customers_and_items(driver, report):
    page = opened(driver, report)
    status, titles, texts = search(page, 0, "customer 17")
    assert status == "1 found." and titles[0].startswith("customer 17: ") and "EASE recommends" in texts[0]
    assert page.execute_script("return document.querySelector('.search details').open")
    assert search(page, 0, "ZOE")[1][0].startswith("zoë: ")
    status, titles, _ = search(page, 0, "customer 1")
    assert "the first 20 shown" in status and len(titles) == 20 and titles[0].startswith("customer 10: ")
    status, titles, texts = search(page, 1, "product 12")
    assert titles == ["Product 12 (12)"] and "customers had it; EASE recommends it to " in texts[0]
    assert search(page, 1, "nothing of this") == ["Nothing found.", [], []] and search(page, 1, " ") == ["", [], []]


def test_hostile_names_stay_text_and_nothing_is_loaded(driver, report):
    page = opened(driver, report)
    assert search(page, 0, "</script>")[1][0].startswith(EVIL[:79])
    assert search(page, 1, "onerror")[1][0].startswith(EVIL[:79])
    assert page.title == "Report"
    assert page.execute_script("return document.querySelectorAll('img:not([src^=data])').length") == 0
    assert page.execute_script("return performance.getEntriesByType('resource').map((one) => one.name)"
                               ".filter((name) => !name.startsWith('data:'))") == []  # fmt: skip
    page.execute_script("const node = document.createElement('script'); node.textContent = \"document.title='owned'\";"
                        "document.body.append(node)")  # fmt: skip
    assert page.title == "Report"  # the policy of the page allows no other script
    messages = [entry["message"] for entry in page.get_log("browser")]
    assert len(messages) == 1 and "Content Security Policy" in messages[0]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_has_enough_contrast(driver, report, scheme):
    page = opened(driver, report, scheme=scheme)
    colors = page.execute_script(
        "return ['body', '.lead', 'caption', 'tr.best td', '.hit', 'nav a', '.conclusion p', '.note'].map((name) => {"
        "let node = document.querySelector(name), back = node, color = getComputedStyle(node).color;"
        "while (getComputedStyle(back).backgroundColor === 'rgba(0, 0, 0, 0)') back = back.parentElement;"
        "return [color, getComputedStyle(back).backgroundColor]})"
    )
    for pair in colors:
        light = sorted(luminance(color) for color in pair)
        assert (light[1] + 0.05) / (light[0] + 0.05) >= 4.5, pair


def luminance(color):
    """Return the relative luminance of WCAG 2 of "rgb(1, 2, 3)"."""
    parts = [int(part) / 255 for part in color.strip("rgba()").split(",")[:3]]
    parts = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]


def test_all_but_the_search_is_readable_without_javascript(driver, report):
    driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        page = opened(driver, report)
        root = page.execute_cdp_cmd("DOM.getDocument", {})["root"]["nodeId"]
        html = page.execute_cdp_cmd("DOM.getOuterHTML", {"nodeId": root})["outerHTML"]
    finally:
        driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
    assert "The search needs JavaScript" in html and "hidden" in html.partition('class="search"')[2][:80]
    assert html.count("EASE recommends") >= 6 and "Product 12" in html
