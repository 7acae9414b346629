"""The page in a real browser, against a small shop with the same HTTP interface and hostile names in it."""

import json
import re
import shutil
import time

import pytest

webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")

from page_server import (  # noqa: E402
    HOSTILE,
    HOSTILE_USER,
    HOSTILE_WORDS,
    LONG,
    PAGE,
    STATISTICS,
    Shop,
    ShopServer,
    comparison,
    drift_scores,
    experiment,
    experiment_result,
)
from selenium.webdriver.chrome.service import Service  # noqa: E402
from selenium.webdriver.common.action_chains import ActionChains  # noqa: E402
from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.common.keys import Keys  # noqa: E402
from service_process import Process  # noqa: E402
from shop_log import folder_of, opened  # noqa: E402
from test_serving_drift import weeks_of_events  # noqa: E402

CHROMIUM = shutil.which("chromium")
DRIVER = shutil.which("chromedriver")
pytestmark = [
    pytest.mark.skipif(CHROMIUM is None or DRIVER is None, reason="chromium and chromedriver are not installed"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),  # sockets of the driver are closed by its exit
]
VIEWS = ["recommendations", "catalogue", "model", "drift", "experiments"]
CONTROLS = "button, input, select, textarea, a[href], summary, [tabindex='0']"


class Page:
    """The page of a shop in the browser; all reading goes through scripts, since the lists are drawn anew."""

    def __init__(self, driver, url, shop=None):
        self.driver, self.url, self.shop = driver, url, shop

    def open(self, view=VIEWS[0]):
        self.driver.get(f"{self.url}/#{view}")
        self.until(lambda: any(map(str.isdigit, self.text("live-requests"))), "the counters")
        return self

    def js(self, script, *arguments):
        return self.driver.execute_script(script, *arguments)

    def text(self, identifier):
        return self.js("return document.getElementById(arguments[0]).textContent", identifier)

    def texts(self, selector):
        return self.js("return [...document.querySelectorAll(arguments[0])].map((node) => node.textContent)", selector)

    def click(self, selector, place=0):
        self.until(lambda: len(self.driver.find_elements(By.CSS_SELECTOR, selector)) > place, selector)
        self.driver.find_elements(By.CSS_SELECTOR, selector)[place].click()

    def type(self, selector, text):
        field = self.driver.find_element(By.CSS_SELECTOR, selector)
        field.send_keys(Keys.CONTROL, "a")
        field.send_keys(text)

    def until(self, found, what, seconds=20.0):
        end = time.monotonic() + seconds
        while not (value := found()):
            assert time.monotonic() < end, f"{what} did not come; alerts: {self.text('alerts')!r}"
            time.sleep(0.03)
        return value

    def sent(self, method, path):
        with self.shop.lock:
            return [body for m, p, _, body in self.shop.requests if (m, p) == (method, path)]

    def choose(self, user="17800"):
        self.click(f"#customers button[data-key='{user}']")
        self.until(lambda: self.text("answer-title") == f"Recommended to customer {user}", "the answer")
        self.settled()

    def settled(self):
        idle = "return document.querySelectorAll('[aria-busy]').length === 0"
        self.until(lambda: self.js(idle), "the end of the request")

    def answer(self):
        return [json.loads(item) for item in self.js("return [...answer.children].map((node) => node.dataset.item)")]

    def resize(self, width, height=800):
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)

    def colours(self, scheme):
        feature = {"name": "prefers-color-scheme", "value": scheme}
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})


@pytest.fixture(scope="module")
def driver():
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for argument in (
        "--headless=new",
        "--no-sandbox",
        "--disable-dev-shm-usage",
        "--disable-background-networking",
        "--lang=en-US",
        "--force-prefers-reduced-motion",
        "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
    ):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    browser = webdriver.Chrome(options=options, service=Service(DRIVER))
    browser.set_script_timeout(20)
    yield browser
    browser.quit()


def _browse(driver, shop):
    with ShopServer(shop) as server:
        driver.get("about:blank")
        driver.get_log("browser"), driver.get_log("performance")
        page = Page(driver, server.url, server.shop)
        page.resize(1366, 900)
        page.colours("light")
        yield page
        messages = [entry["message"] for entry in driver.get_log("browser") if entry["level"] in ("SEVERE", "WARNING")]
        driver.get("about:blank")
    answered = "the server responded with a status of"  # the browser reports each 4xx of an API
    assert [message for message in messages if answered not in message] == []


@pytest.fixture
def page(driver):
    yield from _browse(driver, Shop())


@pytest.fixture
def page_now(driver):
    """Page of a shop whose model has learned everything."""
    yield from _browse(driver, Shop(as_of=None))


@pytest.fixture
def locked_page(driver):
    yield from _browse(driver, Shop(key="right-key"))


def test_popular_items_are_shown_before_anybody_is_chosen(page):
    page.open()
    page.until(page.answer, "popular items")
    assert page.text("answer-title") == "Popular now"
    assert len(page.texts("#customers button")) == 8


def test_a_chosen_customer_is_recommended_items_with_names_prices_and_reasons(page):
    page.open().choose()
    assert len(page.answer()) == 10
    first = page.js("return answer.children[0].textContent")
    name = page.shop.items[page.answer()[0]]["name"]
    assert name in first and "because of" in first and "%" in first
    assert f"{page.shop.items[page.answer()[0]]['price']:.2f}" in first
    body = page.sent("POST", "/v1/recommend")[-1]
    assert body["user"] == 17800, "the id keeps its type"
    assert body["explain"] and body["details"] and not body["repeats"] and body["at"] == page.shop.as_of.isoformat()
    assert "What customer 17800 did lately" in page.text("lately-title")
    assert HOSTILE in page.text("lately")
    assert page.js("return document.querySelectorAll('#answer img').length") > 2


def test_what_was_bought_later_is_listed_and_hits_are_marked(page):
    page.open().choose()
    later = {row["item"] for row in page.shop.events["17800"][1] if row["time"] > page.shop.as_of.isoformat()}
    hits = [item for item in page.answer() if item in later]
    assert hits, "the example has no hit"
    marked = page.js("return [...document.querySelectorAll('#answer .hit')].map((node) => node.dataset.item)")
    assert [json.loads(item) for item in marked] == hits
    assert len(page.texts("#later .hit")) == len(hits)
    assert f"{len(hits)} of {len(later)} items" in page.text("later-note")
    assert "really bought later" in page.text("answer-summary")


def test_show_more_lists_the_older_events(page):
    page.open().choose()
    before = len(page.texts("#lately li"))
    page.click("#lately .more")
    assert len(page.texts("#lately li")) > before
    assert page.texts("#lately .more") == []


def test_a_click_is_stored_and_the_next_answer_shows_what_changed(page):
    page.open().choose()
    before = page.answer()
    page.click("#answer button", place=1)
    page.until(lambda: "Since the last answer" in page.text("answer-summary"), "the next answer")
    event = page.sent("POST", "/v1/events")[-1]
    assert (event["user"], event["item"]) == (17800, before[1])
    assert event["time"] == page.shop.as_of.isoformat() and event["id"] and event["rec_id"].startswith("r")
    asked = page.sent("POST", "/v1/recommend")[-1]["at"]
    assert asked == "2011-11-09T12:00:01.000Z"
    after = page.answer()
    assert after != before
    for place, item in enumerate(after):
        mark = page.js(
            "return answer.children[arguments[0]].querySelector('.new, .up, .down')?.textContent ?? ''", place
        )
        if item not in before:
            assert mark == "new"
        elif before.index(item) == place:
            assert mark == ""
        else:
            assert f"moved {'up' if before.index(item) > place else 'down'} by" in mark


def test_a_click_without_as_of_is_stored_with_the_time_of_the_service(page_now):
    page = page_now
    page.open().choose()
    assert page.js("return document.getElementById('as-of').hidden")
    assert page.js("return document.getElementById('later-section').hidden")
    page.click("#answer button")
    page.until(lambda: page.sent("POST", "/v1/events"), "the event")
    page.until(lambda: "Since" in page.text("answer-summary"), "the next answer")
    assert "time" not in page.sent("POST", "/v1/events")[0]
    assert "at" not in page.sent("POST", "/v1/recommend")[-1]


def test_a_trial_click_stores_nothing(page):
    page.open().choose()
    before = page.answer()
    page.js("document.getElementById('option-event').value = '-'")
    page.click("#answer button")
    page.until(lambda: page.answer() != before, "the next answer")
    assert page.sent("POST", "/v1/events") == []
    assert page.sent("POST", "/v1/recommend")[-1]["items"][-1] == before[0]
    assert "(trial)" in page.text("lately")


def test_a_basket_is_built_by_search_and_by_clicks(page):
    page.open()
    page.click("label:has(#who-basket)")
    page.type("#basket-search", "teapot")
    page.until(lambda: len(page.texts("#basket-found button")) == 6, "found items")
    page.click("#basket-found button", place=1)
    page.until(lambda: page.sent("POST", "/v1/recommend"), "the request")
    page.settled()
    first = page.sent("POST", "/v1/recommend")[-1]["items"]
    assert first == ["20007"]
    clicked = page.answer()[0]
    page.click("#answer button")
    page.until(lambda: page.sent("POST", "/v1/recommend")[-1]["items"] == ["20007", clicked], "the larger basket")
    assert page.sent("POST", "/v1/events") == []
    page.click("#basket button")
    page.until(lambda: page.sent("POST", "/v1/recommend")[-1]["items"] == [clicked], "the smaller basket")
    assert page.js("return document.activeElement.closest('#basket') !== null"), "the focus stays in the basket"


def test_a_late_answer_does_not_replace_a_newer_one(page):
    page.open()
    page.until(lambda: page.texts("#customers button"), "the customers")
    page.shop.slow[17801] = 0.5
    page.click("#customers button[data-key='17801']")
    page.choose("17800")
    shown = page.answer()
    time.sleep(0.8)
    assert page.text("answer-title") == "Recommended to customer 17800" and page.answer() == shown
    assert page.text("alerts") == ""


def test_without_any_picture_no_place_is_kept_for_them(page):
    page.open().choose()
    assert "no-pictures" not in page.js("return answer.className")
    for item in page.shop.items.values():
        item["image"] = None
    page.choose("17801")
    assert "no-pictures" in page.js("return answer.className")
    assert page.js("return [...document.querySelectorAll('#answer .picture')].every((node) => !node.checkVisibility())")


def test_options_are_sent(page):
    page.open().choose()
    page.js("document.getElementById('option-scenario').value = 'home page'")
    page.js("document.getElementById('option-category').value = 'Kitchen'")
    page.type("#option-k", "4")
    page.click("#option-repeats")
    wanted = {"k": 4, "scenario": "home page", "filter": {"category": "Kitchen"}, "repeats": True}

    def asked():
        return wanted.items() <= page.sent("POST", "/v1/recommend")[-1].items()

    page.until(asked, "the options")
    page.settled()
    assert len(page.answer()) == 4
    assert page.answer()[0] == "20010"
    assert "pinned by a rule" in page.text("answer") and "probability 0.25" in page.text("answer")


def test_a_customer_is_found_by_id_and_an_unknown_one_is_said(page):
    page.open()
    page.type("#customer-search", "17811" + Keys.ENTER)
    page.until(lambda: page.text("answer-title") == "Recommended to customer 17811", "the answer")
    page.type("#customer-search", "nobody")
    page.until(lambda: "No customer with this id" in page.text("customers"), "the message")


def test_enter_right_after_typing_takes_the_typed_customer(page):
    page.open()
    page.until(lambda: page.texts("#customers button"), "the customers")
    page.js("""const field = document.getElementById("customer-search");
        field.value = "17811";
        field.dispatchEvent(new Event("input"));
        field.form.requestSubmit();""")
    page.until(lambda: page.text("answer-title") == "Recommended to customer 17811", "the answer")
    searches = len(page.sent("GET", "/v1/users"))
    time.sleep(0.4)
    assert len(page.sent("GET", "/v1/users")) == searches, "the search by typing was dropped"


def test_the_focus_stays_where_a_list_is_drawn_anew(page):
    page.open("model")
    page.until(lambda: len(page.texts("#models button")) == 2, "the versions")
    page.js("document.querySelectorAll('#models button')[1].focus()")
    page.shop.models[0]["note"] = "looked at again"
    page.js("document.dispatchEvent(new Event('visibilitychange')); document.getElementById('job-update').click()")
    page.until(lambda: "looked at again" in page.text("models"), "the versions after the job")
    assert page.js("return document.activeElement.ariaLabel") == "Promote version 1"


def test_the_hide_switch_and_the_stock_field_send_patches(page):
    page.open("catalogue")
    page.until(lambda: len(page.texts("#catalogue-rows tr")) == 25, "the items")
    page.click("#catalogue-rows [role=switch]", place=3)
    page.until(lambda: page.shop.items["20003"]["hidden"], "the change")
    page.until(lambda: "off" in page.js("return document.querySelectorAll('#catalogue-rows tr')[3].className"), "grey")
    assert page.sent("PATCH", "/v1/items") == [[{"item": "20003", "hidden": True}]]
    page.type("#catalogue-rows tr:nth-child(5) .stock", "77" + Keys.TAB)
    page.until(lambda: page.shop.items["20004"]["stock"] == 77, "the stock")
    page.until(lambda: "Stock of PINK LANTERN is 77" in page.text("announcer"), "the announcement")


def test_a_refused_change_is_undone_and_said(page):
    page.open("catalogue")
    page.until(lambda: page.texts("#catalogue-rows tr"), "the items")
    page.shop.down = True
    page.click("#catalogue-rows [role=switch]")
    page.until(lambda: "The store is not available" in page.text("alerts"), "the alert")
    page.until(lambda: not page.js("return document.querySelector('#catalogue-rows [role=switch]').checked"), "undone")
    page.shop.down = False
    page.click("#catalogue-rows [role=switch]")
    page.until(lambda: page.shop.items["20000"]["hidden"], "the change")
    page.until(lambda: page.text("alerts") == "", "the end of the alert")


def test_the_catalogue_is_searched_and_paged(page):
    page.open("catalogue")
    page.until(lambda: page.text("catalogue-note") == "1 to 25 of 60 items", "the first page")
    page.click("#catalogue-next")
    page.until(lambda: page.text("catalogue-note") == "26 to 50 of 60 items", "the second page")
    page.type("#catalogue-search", "clock")
    page.until(lambda: page.text("catalogue-note") == "1 to 6 of 6 items", "the search")
    assert page.js("return document.getElementById('catalogue-next').disabled")


def test_the_key_is_asked_for_kept_in_the_tab_and_asked_again_if_refused(locked_page):
    page = locked_page
    page.driver.get(page.url)
    page.until(lambda: page.js("return document.getElementById('key-dialog').open"), "the dialog")
    assert page.js("return document.activeElement.id") == "key-input"
    page.type("#key-input", "wrong-key" + Keys.ENTER)
    page.until(lambda: "refused" in page.text("key-text"), "the refusal")
    page.until(lambda: page.js("return document.activeElement.id") == "key-input", "the field")
    page.type("#key-input", "right-key" + Keys.ENTER)
    page.until(lambda: page.texts("#customers button"), "the customers")
    assert page.js("return sessionStorage.getItem('skrec-key')") == "right-key"
    assert page.js("return localStorage.length") == 0
    assert page.js("return document.getElementById('key-input').value") == ""
    page.driver.refresh()
    page.until(lambda: page.texts("#customers button"), "the customers without a question")
    assert not page.js("return document.getElementById('key-dialog').open")
    page.js("sessionStorage.clear()")


def test_without_a_key_the_page_says_so_and_does_not_ask_again_by_itself(locked_page):
    page = locked_page
    page.driver.get(page.url)
    page.until(lambda: page.js("return document.getElementById('key-dialog').open"), "the dialog")
    page.click("#key-cancel")
    page.until(lambda: "A key is needed" in page.text("alerts"), "the message")
    time.sleep(2.3)  # the next poll
    assert not page.js("return document.getElementById('key-dialog').open")
    page.click("#key-button")
    page.type("#key-input", "right-key" + Keys.ENTER)
    page.until(lambda: page.texts("#customers button"), "the customers")
    assert page.text("alerts") == ""
    page.js("sessionStorage.clear()")


def test_problems_are_shown_and_leave_when_it_works_again(page):
    page.open().choose()
    page.shop.down = True
    page.until(lambda: "The store is not available" in page.text("alerts"), "the alert")
    assert page.js("return document.getElementById('alerts').getAttribute('role')") == "alert"
    page.shop.down = False
    page.until(lambda: page.text("alerts") == "", "the end of the alert")


def test_jobs_are_added_and_their_progress_is_shown(page):
    page.open("model")
    page.until(lambda: page.texts("#jobs li"), "the jobs")
    page.click("#job-refit")
    page.until(lambda: page.js("return document.querySelector('#jobs progress')?.value > 0"), "the progress")
    assert "reading all events" in page.text("jobs")
    assert page.sent("POST", "/v1/jobs") == [{"kind": "refit"}]
    page.until(lambda: "skipped: no new events" in page.text("jobs"), "the result")
    assert "Job refit 2 is done" in page.text("announcer")
    assert "version 2, promoted · 71 s" in page.text("jobs")


def test_a_version_is_promoted_after_a_refusal_and_rolled_back(page):
    page.open("model")
    page.until(lambda: len(page.texts("#models li")) == 3, "the versions")
    assert "NDCG@10 0.1312, the one before 0.1421 (412 users)" in page.text("models")
    assert page.text("models-note") == "1 older version deleted."
    page.click("#models button")
    page.click("#confirm-yes")
    page.until(lambda: "NDCG 0.1312 is below" in page.text("confirm-text"), "the refusal")
    page.click("#confirm-yes")
    page.until(lambda: page.shop.current()["version"] == 3, "the promotion")
    assert page.sent("POST", "/v1/models/3/promote") == [{"force": False}, {"force": True}]
    page.until(lambda: "version 3" in page.text("live-model"), "the status")
    page.click("#roll-back")
    page.click("#confirm-yes")
    page.until(lambda: page.shop.current()["version"] == 2, "the roll back")


def test_quality_is_a_chart_and_a_table(page):
    page.open("model")
    page.until(lambda: page.texts("#quality-rows tr"), "the table")
    days = page.shop.status()["quality"]
    assert len(page.texts("#quality-rows tr")) == len(days)
    assert len(page.texts("#quality-chart circle")) == len(page.texts("#quality-chart rect")) == len(days)
    assert f"{days[-1]['ndcg']:.4f}" in page.js("return document.querySelector('#quality-chart svg').ariaLabel")
    assert "0.00" in page.texts("#quality-chart .tick"), "the axis starts at zero"


def test_the_newest_week_is_concluded_in_words_and_its_alarms_are_named(page):
    page.open("drift")
    page.until(lambda: page.texts("#drift-findings li"), "the findings")
    assert page.texts("#drift-conclusion p") == [
        "The shop in the week of Nov 7, 2011: 2 alarms in 6 statistics.",
        "The answers in the week of Nov 7, 2011: 1 warning in 1 statistic.",
    ]
    findings = page.texts("#drift-findings li")
    assert len(findings) == 3
    assert findings[0].startswith("alarmevents of unknown items")
    assert "0.31 where 0.2 is usual, z +41.5. Moved most: item 20033, 20040." in findings[0]
    assert "update the model, or refit it" in findings[0]
    assert findings[2].startswith("warninganswers by the fallback")
    assert page.text("drift-judged") == "Judged Nov 14, 2011, 04:30 UTC"
    assert "25 weeks before: 1 alarm: new users in the week of Jul 11, 2011." in page.text("drift-earlier")
    assert page.text("drift-notes").startswith("price_ratio, repriced_items: left out without price=")


def test_the_number_of_alarms_is_at_the_link_in_every_view(page):
    page.open()
    page.until(lambda: page.text("drift-badge"), "the badge")
    link = page.driver.find_element(By.CSS_SELECTOR, "[data-view=drift]")
    assert link.accessible_name == "Drift 2 alarms"
    assert page.driver.find_element(By.ID, "drift-badge").is_displayed()


def test_z_by_week_is_drawn_on_one_scale_with_alarms_marked_by_form(page):
    page.open("drift")
    page.until(lambda: page.texts(".panel title"), "the panels")
    scores = page.shop.drift["scores"]
    assert page.js("return document.querySelectorAll('svg.panel').length") == len(STATISTICS) + 1
    first = "[data-statistic=unknown_items]"
    assert page.js("return document.querySelector('.panels li').dataset.statistic") == "unknown_items", "alarms first"
    marks = page.js(
        "return [...document.querySelectorAll(arguments[0])].map((n) => n.tagName)", f"{first} .mark-z.alarm"
    )
    assert marks == ["path"], "a diamond"
    assert page.js("return document.querySelector('.panels .mark-z.warn').tagName") == "circle"
    assert page.js("return document.querySelector('.panels .mark-z.season').tagName") == "rect"
    titles = page.texts(".panel title")
    assert len(titles) == sum(row["z"] is not None for row in scores)
    assert "Week of Nov 7, 2011: z +41.5, alarm" in titles
    label = page.js("return document.querySelector('.panel').ariaLabel")
    assert "Last week: z +41.5, alarm. Marked: alarm in the week of Nov 7, 2011, z +41.5." in label
    label = page.js("return document.querySelector('[data-statistic=exact_duplicates] svg').ariaLabel")
    assert "z of 25 weeks from May 16, 2011 to Nov 7, 2011" in label and "No week is marked." in label
    bands = page.js("return [...document.querySelectorAll('.panel')].map((n) => n.querySelector('.band').outerHTML)")
    assert len(set(bands)) == 1, "one scale"
    inside = """const box = document.querySelector(arguments[0]).getBoundingClientRect();
        const mark = document.querySelector(arguments[1]).getBoundingClientRect();
        return mark.top >= box.top - 1 && mark.bottom <= box.bottom + 1 && mark.right <= box.right + 1"""
    assert page.js(inside, f"{first} svg", f"{first} .mark-z.alarm"), "z beyond the scale is drawn at its end"
    page.click("#drift-weeks summary")
    assert len(page.texts("#drift-rows tr")) == len(scores)
    assert page.texts("#drift-rows tr:first-child td")[5] == "alarm"


def test_drift_is_judged_anew(page):
    page.open("drift")
    page.until(lambda: page.texts("#drift-findings li"), "the findings")
    page.shop.drift = drift_scores(fault=False)
    page.click("#drift-judge")
    page.until(lambda: "reading all events" in page.text("drift-note"), "the progress")
    assert page.js("return document.getElementById('drift-judge').disabled")
    page.until(lambda: "all is quiet" in page.text("drift-conclusion"), "the scores")
    assert page.sent("POST", "/v1/jobs") == [{"kind": "drift"}]
    words = "Judged: week of Nov 7, 2011: no alarm and no warning · 2.3 s"
    page.until(lambda: page.text("announcer") == words, "the announcement")
    assert page.text("drift-note") == "Judged just now."
    assert page.text("drift-judged") == "Judged Nov 15, 2011, 09:00 UTC"
    assert page.texts("#drift-findings li") == []
    assert page.js("return document.getElementById('drift-badge').hidden")
    assert not page.js("return document.getElementById('drift-judge').disabled")
    page.click("[data-view=model]")
    page.until(lambda: "week of Nov 7, 2011: no alarm and no warning" in page.text("jobs"), "the job in words")


def test_a_job_of_drift_names_its_alarms_and_why_it_failed(page):
    page.open("drift")
    page.click("#drift-judge")
    words = "Judged: week of Nov 7, 2011: 2 alarms (unknown items, category shares) and 1 warning (fallback share)"
    page.until(lambda: words in page.text("announcer"), "the result")
    page.shop.fails["drift"] = "the disk is full"
    page.click("#drift-judge")
    page.until(lambda: page.text("drift-note") == "The job failed: the disk is full", "the failure")
    assert page.texts("#drift-findings li"), "the former scores stay"


@pytest.mark.parametrize(
    ("scores", "words"),
    [
        ({"judged": None, "notes": [], "scores": [], "gauges": {}}, "Nothing was judged yet."),
        ({"judged": "2011-11-14T04:30:02", "notes": ["no week"], "scores": []}, "Nothing could be judged"),
        (drift_scores(weeks=14) | {"scores": drift_scores(weeks=14)["scores"][:7]}, "nothing could be judged yet"),
        (drift_scores(fault=False), "all is quiet. 6 statistics, no alarm and no warning."),
    ],
    ids=["never", "no week", "one week", "quiet"],
)
def test_drift_without_alarms_says_what_it_is(page, scores, words):
    page.shop.drift = scores
    page.open("drift")
    page.until(lambda: words in page.text("drift-conclusion"), words)
    assert page.js("return document.getElementById('drift-badge').hidden")
    assert page.texts("#drift-findings li") == []
    assert page.js("return document.getElementById('drift-weeks').hidden") == (not scores["scores"])


def test_parts_with_other_newest_weeks_are_concluded_each_for_itself(page):
    scores = page.shop.drift["scores"]
    page.shop.drift["scores"] = [row for row in scores if row["part"] == "shop"]
    late = scores[-1] | {"period": "2026-11-16T00:00:00", "z": -6.1, "verdict": "alarm", "moved": None}
    page.shop.drift["scores"].append(late)
    page.open("drift")
    page.until(lambda: len(page.texts("#drift-conclusion p")) == 2, "the conclusions")
    assert "The shop in the week of Nov 7, 2011: 2 alarms" in page.text("drift-conclusion")
    assert "The answers in the week of Nov 16, 2026: 1 alarm in 1 statistic." in page.text("drift-conclusion")
    assert page.text("drift-badge") == "3 alarms"
    assert "z \u22126.1" in page.text("drift-findings")


def test_what_was_judged_meanwhile_is_shown_when_the_page_is_seen_again(page):
    page.open("drift")
    page.until(lambda: page.texts("#drift-findings li"), "the findings")
    page.shop.drift = drift_scores(fault=False)
    page.js("document.dispatchEvent(new Event('visibilitychange'))")
    page.until(lambda: "all is quiet" in page.text("drift-conclusion"), "the scores")
    page.until(lambda: page.js("return document.getElementById('drift-badge').hidden"), "the badge")


def test_an_experiment_that_somebody_else_stopped_is_shown_so(page):
    page.open("experiments")
    page.until(lambda: page.texts("#trial-metrics li"), "the result")
    page.shop.experiments["spring"] |= {"status": "stopped", "stop": "2011-11-10T00:00:00+00:00"}
    page.js("document.dispatchEvent(new Event('visibilitychange'))")
    page.until(lambda: "The experiment is stopped" in page.text("trial-conclusion"), "the state")
    assert page.js("return document.getElementById('trial-stop').hidden")


def hasten(page, period):
    """Let timers of one period run at once, from now on."""
    page.js(
        "const later = window.setTimeout; const period = arguments[0];"
        "window.setTimeout = (action, wait, ...rest) => later(action, wait === period ? 100 : wait, ...rest);",
        period,
    )


def test_experiments_are_asked_for_again_after_an_error_and_the_list_stays(page):
    page.open("experiments")
    page.until(lambda: page.texts("#trial-metrics li"), "the result")
    listed = page.texts("#trials li")
    hasten(page, 30_000)
    page.shop.down = True
    page.js("document.dispatchEvent(new Event('visibilitychange'))")
    page.until(lambda: "The store is not available" in page.text("alerts"), "the alert")
    assert page.texts("#trials li") == listed and page.texts("#trial-metrics li")
    page.shop.experiments["spring"] |= {"status": "stopped", "stop": "2011-11-10T00:00:00+00:00"}
    page.shop.down = False
    page.until(lambda: "The experiment is stopped" in page.text("trial-conclusion"), "the state")
    page.until(lambda: page.text("alerts") == "", "the end of the alert")


def test_without_the_key_of_an_administrator_experiments_are_not_asked_for_again_by_themselves(page):
    page.open("experiments")
    page.until(lambda: page.texts("#trial-metrics li"), "the result")
    hasten(page, 30_000)
    page.shop.refuses_admin = True
    page.js("document.dispatchEvent(new Event('visibilitychange'))")
    page.until(lambda: "the key of an administrator" in page.text("trials-note"), "the note")
    assert page.texts("#trials li") == [] and page.text("alerts") == ""
    asked = len(page.sent("GET", "/v1/experiments"))
    time.sleep(0.5)
    assert len(page.sent("GET", "/v1/experiments")) == asked
    page.shop.refuses_admin = False
    page.js("document.dispatchEvent(new Event('skrec-key'))")
    page.until(lambda: page.texts("#trials li"), "the list")
    assert page.text("trials-note") == ""


def test_jobs_are_asked_for_again_after_an_error(page):
    page.open("model")
    page.until(lambda: page.texts("#jobs li"), "the jobs")
    hasten(page, 10_000)
    page.shop.down = True
    page.js("document.dispatchEvent(new Event('visibilitychange'))")
    page.until(lambda: "The store is not available" in page.text("alerts"), "the alert")
    page.shop.down = False
    page.until(lambda: page.text("alerts") == "", "the end of the alert")


def test_an_alarm_without_z_is_marked_all_the_same(page):
    page.shop.drift["scores"][-6] |= {"z": None, "reference": None}
    page.open("drift")
    page.until(lambda: page.texts("#drift-findings li"), "the findings")
    assert "0.31, z \u2013." in page.texts("#drift-findings li")[0]
    assert page.js("return document.querySelectorAll('[data-statistic=unknown_items] .mark-z.alarm').length") == 1


@pytest.mark.parametrize("view", ["drift", "experiments"])
def test_who_is_no_administrator_is_told_so_in_the_place(page, view):
    page.shop.refuses_admin = True
    page.open(view)
    note = {"drift": "drift-note", "experiments": "trials-note"}[view]
    page.until(lambda: "the key of an administrator" in page.text(note), "the note")
    assert page.text("alerts") == ""
    assert page.js("return document.getElementById('drift-badge').hidden")
    if view == "drift":
        page.click("#drift-judge")
        page.until(lambda: page.sent("POST", "/v1/jobs"), "the request")
        page.until(lambda: not page.js("return document.getElementById('drift-judge').disabled"), "the end")
        assert "the key of an administrator" in page.text(note) and page.text("alerts") == ""


def test_an_experiment_is_compared_in_words_and_as_a_picture(page):
    page.open("experiments")
    page.until(lambda: page.texts("#trial-metrics li"), "the result")
    assert page.texts("#trials button") == ["spring", "first"], "the newest first"
    running = page.texts("#trials li")[0]
    assert "control 50\u00a0%, varied 50\u00a0% (version 2, scenario home page)" in running
    assert "since Nov 1, 2011, 00:00 UTC · 50\u00a0% of the users · 5\u00a0% held out" in running
    assert page.text("trial-title") == "Result of spring"
    assert page.texts("#trial-conclusion p")[0] == "varied is higher than control in events a user."
    assert "It may be stopped: the intervals hold at each look." in page.texts("#trial-conclusion p")[1]
    first, second = page.texts("#trial-metrics li")
    words = "varied 0.0997, control 0.09: +10.8\u00a0%, always-valid 95 % interval from +3.4\u00a0% to +18.2\u00a0%"
    assert words in first and "p\u00a0=\u00a00.00016" in first and "(CUPED)" in first
    assert "undecided" in second
    assert words in page.js("return document.querySelector('.interval').ariaLabel")
    kinds = page.js("return [...document.querySelectorAll('.interval circle')].map((n) => n.classList[1])")
    assert kinds == ["higher", "open"]
    ends = """return [...document.querySelectorAll('.interval')].map((node) => {
        const [zero, reach] = ['.zero', '.reach'].map((name) => node.querySelector(name));
        return ['x1', 'x2'].map((end) => reach[end].baseVal.value - zero.x1.baseVal.value); })"""
    (low, high), (low_2, high_2) = page.js(ends)
    assert 0 < low < high and low_2 < 0 < high_2
    assert high_2 / high == pytest.approx(0.32 / 0.182, rel=0.02), "one scale"
    assert page.texts("#trial-users tr") == ["control3,8263,800", "varied3,7743,800"]
    assert page.text("trial-users-note") == "The numbers of users are as planned (p = 0.55)."
    assert "the holdout group" in page.text("trial-notes")


@pytest.mark.parametrize(
    ("result", "words"),
    [
        (experiment_result([comparison("events a user", 0.02, 0.3)]), "Not decided yet, with 7,600 of 8,000 planned"),
        (
            experiment_result([comparison("events a user", 0.02, 0.1)], users=(4100, 4000)),
            "The planned number of users is reached and nothing was found.",
        ),
        (experiment_result([comparison("events a user", 0.5, None)], users=(9, 12)), "Nothing can be said yet"),
        (experiment_result([comparison("events a user", -0.2, 0.1)]), "varied is lower than control"),
    ],
    ids=["undecided", "planned reached", "few users", "lower"],
)
def test_whether_an_experiment_may_be_stopped_is_said(page, result, words):
    page.shop.results["spring"] = result
    page.open("experiments")
    page.until(lambda: words in page.text("trial-conclusion"), words)
    assert page.js("return document.getElementById('trial-ratio').hidden")
    if words.startswith("Nothing"):
        assert "There is no interval yet: each variant needs at least 50 users." in page.text("trial-metrics")
        assert page.js("return document.querySelectorAll('.interval').length") == 0


def test_a_sample_ratio_mismatch_is_an_error_and_nothing_is_concluded(page):
    rows = [comparison("events a user", 0.108, 0.074)]
    page.shop.results["spring"] = experiment_result(rows, p_mismatch=1.3e-9, users=(3000, 3700))
    page.open("experiments")
    page.until(lambda: "Sample ratio mismatch, p = 1.3e-9" in page.text("trial-ratio"), "the warning")
    assert page.driver.find_element(By.ID, "trial-ratio").is_displayed()
    conclusion = page.text("trial-conclusion")
    assert "Do not decide by this result" in conclusion and "higher" not in conclusion


def test_a_difference_without_a_lift_is_told_in_its_own_unit(page):
    row = comparison("value a user", 0.3, 0.1) | {"lift": None, "lift_low": None, "lift_high": None}
    page.shop.results["spring"] = experiment_result([row])
    page.open("experiments")
    page.until(lambda: "difference 0.027" in page.text("trial-metrics"), "the difference")
    assert page.js("return document.querySelectorAll('.interval').length") == 0


def test_an_experiment_is_stopped_after_a_question(page):
    page.open("experiments")
    page.until(lambda: page.texts("#trial-metrics li"), "the result")
    page.click("#trial-stop")
    assert page.text("confirm-title") == "Stop spring?"
    page.click("#confirm-cancel")
    assert page.sent("POST", "/v1/experiments/spring/stop") == []
    page.click("#trial-stop")
    page.click("#confirm-yes")
    page.until(lambda: page.texts("#trials .badge") == ["stopped", "stopped"], "the state")
    page.until(lambda: page.js("return document.activeElement.id") == "trial-title", "the focus")
    assert "The experiment is stopped" in page.text("trial-conclusion")
    assert page.js("return document.getElementById('trial-stop').hidden")


def test_only_events_of_a_kind_are_compared(page):
    page.open("experiments")
    page.until(lambda: page.texts("#trial-metrics li"), "the result")
    page.type("#trial-event", "purchase" + Keys.ENTER)

    def asked():
        with page.shop.lock:
            return [query for _, path, query, _ in page.shop.requests if path == "/v1/experiments/spring/result"]

    page.until(lambda: asked()[-1] == {"event": "purchase"}, "the request")


def test_an_experiment_is_started_by_the_form(page):
    page.open("experiments")
    page.until(lambda: page.texts("#trial-metrics li"), "the result")
    page.click("#new-trial summary")
    page.until(lambda: len(page.texts("[data-part=version] option")) == 8, "the versions")
    page.type("#trial-name", "autumn")
    page.click("#trial-add")
    assert page.js("return document.activeElement.value") == "variant 3"
    page.js("document.querySelectorAll('[data-part=version]')[1].value = '3'")
    page.js("document.querySelectorAll('[data-part=scenario]')[2].value = 'basket page'")
    page.js("document.querySelectorAll('[data-part=weight]')[2].value = '0.5'")
    page.js("document.getElementById('trial-scenario').value = 'default'")
    page.type("#trial-share", "12.5")
    page.click("#trial-form [type=submit]")
    page.until(lambda: page.text("trial-title") == "Result of autumn", "the experiment")
    assert page.sent("POST", "/v1/experiments") == [
        {
            "name": "autumn",
            "variants": {
                "control": {"weight": 1},
                "varied": {"weight": 1, "version": 3},
                "variant 3": {"weight": 0.5, "scenario": "basket page"},
            },
            "control": "control",
            "share": 0.125,
            "holdout": 0,
            "planned_users": 10_000,
            "attribution_days": 7,
            "scenario": "default",
        }
    ]
    page.until(lambda: "There is no result: " in page.text("trial-conclusion"), "the reason")
    assert page.text("alerts") == ""
    assert not page.js("return document.getElementById('new-trial').open")
    assert page.js("return document.getElementById('trial-name').value") == ""


def test_an_experiment_that_cannot_be_is_refused_and_the_form_stays(page):
    page.open("experiments")
    page.until(lambda: page.texts("#trial-metrics li"), "the result")
    page.click("#new-trial summary")
    page.until(lambda: len(page.texts("[data-part=version] option")) == 8, "the versions")
    page.type("#trial-name", "spring")
    page.js("document.querySelectorAll('[data-part=version]')[1].value = '3'")
    page.type("[data-part=name]", "varied")
    page.click("#trial-form [type=submit]")
    page.until(lambda: "Two variants are called varied" in page.text("alerts"), "the alert")
    assert page.sent("POST", "/v1/experiments") == []
    page.type("[data-part=name]", "control")
    page.click("#trial-form [type=submit]")
    page.until(lambda: "there is an experiment 'spring' already" in page.text("alerts"), "the problem")
    page.type("#trial-name", "a/b")
    page.click("#trial-form [type=submit]")
    assert page.js("return document.querySelector('#trial-name:invalid') !== null"), "a name is a part of an address"
    page.type("#trial-name", "summer")
    page.js("document.querySelectorAll('[data-part=version]')[1].value = ''")
    page.click("#trial-form [type=submit]")
    page.until(lambda: "an A/A test" in page.text("confirm-text"), "the question")
    page.click("#confirm-cancel")
    assert len(page.sent("POST", "/v1/experiments")) == 1
    page.click("#trial-form [type=submit]")
    page.until(lambda: page.js("return document.getElementById('confirm-dialog').open"), "the question")
    page.click("#confirm-yes")
    page.until(lambda: page.text("trial-title") == "Result of summer", "the experiment")
    assert page.text("alerts") == ""


def test_without_experiments_the_view_says_what_they_are_for(page):
    page.shop.experiments.clear()
    page.open("experiments")
    page.until(lambda: "No experiment yet." in page.text("trials-note"), "the note")
    assert page.text("trial-conclusion") == "There is no experiment to show."
    assert page.js("return document.getElementById('trial-stop').hidden")


def test_a_planned_and_a_suspended_experiment_say_so(page):
    start = "2011-12-01T00:00:00+00:00"
    page.shop.experiments["late"] = experiment("late", status="planned", start=start)
    page.shop.experiments["spring"]["problem"] = "version 2 of the model cannot be loaded"
    page.open("experiments")
    page.until(lambda: page.texts("#trial-metrics li"), "the result of the one that runs")
    assert page.text("trial-title") == "Result of spring"
    assert "Suspended: version 2 of the model cannot be loaded" in page.text("trials")
    page.click("#trials button[data-key=late]")
    page.until(lambda: page.text("trial-conclusion") == "The experiment begins on Dec 1, 2011.", "the moment")
    assert page.js("return document.querySelector('#trials [aria-pressed=true]').textContent") == "late"


def test_counters_are_polled_only_while_the_page_is_visible(page):
    page.open()
    page.until(lambda: len(page.sent("GET", "/v1/status")) >= 2, "the second poll")
    hide = "Object.defineProperty(document, 'hidden', {value: arguments[0], configurable: true});"
    page.js(hide + "document.dispatchEvent(new Event('visibilitychange'))", True)
    time.sleep(0.2)
    before = len(page.sent("GET", "/v1/status"))
    time.sleep(2.4)
    assert len(page.sent("GET", "/v1/status")) == before
    page.js(hide + "document.dispatchEvent(new Event('visibilitychange'))", False)
    page.until(lambda: len(page.sent("GET", "/v1/status")) > before, "the next poll")


def test_hostile_names_are_shown_as_text_and_run_nothing(page):
    page.open()
    page.until(lambda: HOSTILE_USER in page.texts("#customers .choice-name"), "the hostile customer")
    page.click("#customers button", place=page.texts("#customers .choice-name").index(HOSTILE_USER))
    page.until(lambda: HOSTILE_USER in page.text("answer-title"), "the answer")
    page.choose()
    assert HOSTILE in page.text("lately")
    page.click("[data-view=catalogue]")
    page.until(lambda: page.text("catalogue-rows").count(HOSTILE) == 1, "the hostile item")
    assert "<b onclick=alert(1)>Garden</b>" in page.text("catalogue-rows")
    page.until(lambda: page.js("return document.querySelectorAll('#catalogue-rows .letter').length > 2"), "letters")
    assert page.js("return window.broken ?? null") is None
    page.click("[data-view=drift]")
    page.until(lambda: HOSTILE_WORDS in page.text("drift-findings"), "the hostile finding")
    assert f"largest move {HOSTILE}" in page.texts(".panels figcaption span")
    assert HOSTILE_WORDS in page.text("drift-rows") and HOSTILE_WORDS in page.text("drift-notes")
    rows = [comparison(HOSTILE_WORDS, 0.1, 0.05, variant=HOSTILE)]
    page.shop.results["spring"] = experiment_result(rows) | {"notes": [HOSTILE_WORDS], "control": HOSTILE_USER}
    page.shop.experiments["spring"] |= {"problem": HOSTILE_WORDS, "scenario": HOSTILE}
    page.shop.experiments[HOSTILE] = experiment(HOSTILE, variants={HOSTILE: {"weight": 1.0}, "__proto__": {}})
    page.click("[data-view=experiments]")
    page.click("#trials button", place=1)
    page.until(lambda: HOSTILE_WORDS in page.text("trial-metrics"), "the hostile result")
    assert HOSTILE_WORDS in page.text("trial-notes") and HOSTILE_USER in page.text("trial-conclusion")
    assert HOSTILE in page.texts("#trials button") and f"Suspended: {HOSTILE_WORDS}" in page.text("trials")
    page.driver.execute_async_script("setTimeout(arguments[0], 100)")
    assert page.js("return window.broken ?? null") is None
    page.click("[data-view=catalogue]")
    page.until(lambda: page.texts("#catalogue-rows img"), "the pictures")
    sources = page.js("return [...document.images].map((image) => image.src)")
    assert sources and all(source.startswith("data:image/") for source in sources)
    assert (
        page.js("return document.querySelectorAll('[onerror], [onclick], [onload], script:not([src]), b').length") == 0
    )


@pytest.mark.parametrize("view", VIEWS)
def test_nothing_scrolls_sideways_at_360_pixels(page, view):
    page.resize(360, 740)
    page.open(view)
    if view == "recommendations":
        page.until(lambda: LONG in page.text("answer") or page.answer(), "the list")
        page.choose()
    page.until(lambda: page.texts(f"#view-{view} li, #view-{view} tr"), "the lists")
    page.js("document.querySelectorAll('details').forEach((node) => { node.open = true; })")
    needed, given = page.js("return [document.documentElement.scrollWidth, document.documentElement.clientWidth]")
    assert needed == given <= 360
    script = """return [...document.querySelectorAll('main *')].filter((node) => node.checkVisibility()
        && !node.closest('.scroll, .hidden-text, thead, select') && node.getBoundingClientRect().right > 360.5)
        .map((node) => node.outerHTML.slice(0, 120))"""
    assert page.js(script) == []


CONTRAST = """
const parse = (text) => (text.match(/[\\d.]+/g) ?? []).map(Number);
const light = ([r, g, b]) => [r, g, b].map((v) => v / 255)
  .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
  .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
const ground = (node) => {
  for (let at = node; at; at = at.parentElement) {
    const colour = parse(getComputedStyle(at).backgroundColor);
    if (colour.length === 3 || colour[3] > 0.99) return colour;
  }
  return [255, 255, 255];
};
const found = [];
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (walker.nextNode()) {
  const node = walker.currentNode.parentElement;
  const left = node.closest('.hidden-text, :disabled, option') || !node.checkVisibility();
  if (left || !walker.currentNode.data.trim()) continue;
  const style = getComputedStyle(node);
  const [a, b] = [light(parse(node.closest('svg') ? style.fill : style.color)), light(ground(node))];
  const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  found.push([ratio, walker.currentNode.data.trim().slice(0, 40)]);
}
return found;
"""


def test_colours_follow_the_scheme_and_all_text_has_contrast(page):
    seen = {}
    for scheme in ("light", "dark"):
        page.colours(scheme)
        for view in VIEWS:
            page.open(view)
            if view == "recommendations":
                page.choose()
                page.click("#answer button")
                page.until(lambda: "Since" in page.text("answer-summary"), "the next answer")
            page.until(lambda view=view: page.texts(f"#view-{view} li, #view-{view} tr"), "the lists")
            page.js("document.querySelectorAll('details').forEach((node) => { node.open = true; })")
            page.driver.execute_async_script("setTimeout(arguments[0], 250)")  # transitions
            ratios = page.js(CONTRAST)
            assert len(ratios) > 20
            assert [row for row in ratios if row[0] < 4.5] == [], f"{view}, {scheme}"
        seen[scheme] = page.js("const s = getComputedStyle(document.body); return [s.color, s.backgroundColor]")
    assert seen["light"][0] != seen["dark"][0] and seen["light"][1] != seen["dark"][1]


FOCUS_SHOWN = """
const node = document.activeElement;
const shown = (style) => style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2;
return shown(getComputedStyle(node)) || shown(getComputedStyle(node, '::after'))
  || (node.nextElementSibling !== null && shown(getComputedStyle(node.nextElementSibling)));
"""


def test_everything_goes_by_keyboard_and_the_focus_is_seen(page):
    page.open()
    page.until(lambda: page.texts("#customers button"), "the customers")

    def press(*keys):
        ActionChains(page.driver).send_keys(*keys).perform()

    def tab_to(selector, most=60):
        for _ in range(most):
            press(Keys.TAB)
            assert page.js(FOCUS_SHOWN), page.js("return document.activeElement.outerHTML.slice(0, 200)")
            if page.js("return document.activeElement.matches(arguments[0])", selector):
                return
        raise AssertionError(f"{selector} was not reached")

    tab_to(".skip")
    tab_to("#customer-search")
    press("17802", Keys.ENTER)
    page.until(lambda: page.text("answer-title") == "Recommended to customer 17802", "the answer")
    page.settled()
    tab_to("#option-k")
    tab_to("#answer button")
    press(Keys.TAB)
    press(Keys.ENTER)
    page.until(lambda: "Since the last answer" in page.text("answer-summary"), "the next answer")
    assert page.js("return document.activeElement.closest('#answer') !== null"), "the focus stays in the list"
    page.js("document.querySelector('[data-view=catalogue]').focus()")
    press(Keys.ENTER)
    page.until(lambda: page.texts("#catalogue-rows tr"), "the items")
    tab_to("#catalogue-rows [role=switch]")
    press(Keys.SPACE)
    page.until(lambda: page.sent("PATCH", "/v1/items"), "the change")
    page.js("document.querySelector('[data-view=drift]').focus()")
    press(Keys.ENTER)
    page.until(lambda: page.texts("#drift-findings li"), "the findings")
    tab_to("#drift-weeks summary")
    press(Keys.ENTER)
    tab_to("#drift-weeks .scroll")
    page.js("document.getElementById('content').focus()")
    tab_to("#drift-judge")
    press(Keys.ENTER)
    page.until(lambda: page.text("drift-note") == "Judged just now.", "the judgement")
    assert page.js("return document.activeElement.id") == "drift-judge", "the focus stays"
    page.js("document.querySelector('[data-view=experiments]').focus()")
    press(Keys.ENTER)
    page.until(lambda: page.texts("#trial-metrics li"), "the result")
    tab_to("#trials button[data-key=first]")
    press(Keys.ENTER)
    page.until(lambda: page.text("trial-title") == "Result of first", "the other result")
    assert page.js("return document.activeElement.dataset.key") == "first", "the focus stays"
    tab_to("#new-trial summary")
    press(Keys.ENTER)
    tab_to("#trial-name")
    press("by keyboard")
    tab_to("#trial-form [type=submit]")
    press(Keys.ENTER)
    page.until(lambda: page.js("return document.getElementById('confirm-dialog').open"), "the question")
    press(Keys.ENTER)
    page.until(lambda: page.text("trial-title") == "Result of by keyboard", "the experiment")
    page.until(lambda: page.js("return document.activeElement.id") == "trial-title", "the focus")
    page.js("document.getElementById('key-button').focus()")
    press(Keys.ENTER)
    page.until(lambda: page.js("return document.getElementById('key-dialog').open"), "the dialog")
    press(Keys.ESCAPE)
    page.until(lambda: not page.js("return document.getElementById('key-dialog').open"), "the end of the dialog")
    assert page.js("return document.activeElement.id") == "key-button"


@pytest.mark.parametrize("view", VIEWS)
def test_every_control_and_region_has_a_name(page, view):
    page.open(view)
    if view == "recommendations":
        page.choose()
    page.until(lambda: page.texts(f"#view-{view} li, #view-{view} tr"), "the lists")
    page.js("document.querySelectorAll('details').forEach((node) => { node.open = true; })")
    controls = [node for node in page.driver.find_elements(By.CSS_SELECTOR, CONTROLS) if node.is_displayed()]
    assert len(controls) > 8
    unnamed = [node.get_attribute("outerHTML") for node in controls if not node.accessible_name.strip()]
    assert unnamed == []
    unnamed = page.js("""return [...document.querySelectorAll('section, nav, dialog, form, table:not(.plain)')].filter(
        (node) => !node.ariaLabel && !node.getAttribute('aria-labelledby') && !node.closest('dialog'))
        .map((node) => node.outerHTML.slice(0, 100))""")
    assert unnamed == []
    missing = page.js("""return [...document.querySelectorAll('[aria-labelledby], [aria-describedby], label[for]')]
        .flatMap((node) => ['aria-labelledby', 'aria-describedby', 'for'].map((name) => node.getAttribute(name)))
        .filter((name) => name !== null && document.getElementById(name) === null)""")
    assert missing == []
    for landmark in ("header", "main", "footer", "nav"):
        assert page.js("return document.querySelector(arguments[0]) !== null", landmark)


@pytest.fixture(scope="module")
def real_page(driver, tmp_path_factory):
    """Page of the real service, with its trainer; in the last week of the log a third of the items are new."""
    settings = folder_of(tmp_path_factory.mktemp("real"))
    store = opened(settings)
    store.add_log(weeks_of_events(new_items=True))
    store.close()
    with Process("--database", settings.database, "--models", settings.models).wait_ready() as service:
        page = Page(driver, f"http://127.0.0.1:{service.port}")
        page.resize(1366, 900)
        page.colours("light")
        yield page
        driver.get("about:blank")


def test_a_planted_fault_is_named_by_the_real_service(real_page):
    page = real_page.open("drift")
    page.until(lambda: "Nothing was judged yet" in page.text("drift-conclusion"), "the first sight")
    page.click("#drift-judge")
    page.until(lambda: page.texts("#drift-findings li"), "the findings", seconds=60)
    assert "The shop in the week of Feb 6, 2012: " in page.text("drift-conclusion")
    assert re.search(r"\d alarms? ", page.text("drift-conclusion"))
    named = [row for row in page.texts("#drift-findings li") if row.startswith("alarmevents of unknown items")]
    assert len(named) == 1 and "Moved most: item " in named[0] and "update the model" in named[0]
    page.until(lambda: re.search(r"Judged: week of Feb 6, 2012: \d alarms? \(", page.text("announcer")), "the job")
    assert int(re.match(r"\d+", page.text("drift-badge"))[0]) >= 1
    first = page.js("return document.querySelector('.panels li').dataset.statistic")
    assert first.replace("_", " ") in page.text("announcer")


def test_an_experiment_of_the_real_service_is_started_and_stopped(real_page):
    page = real_page.open("experiments")
    page.until(lambda: "No experiment yet." in page.text("trials-note"), "the list")
    page.click("#new-trial summary")
    page.type("#trial-name", "spring")
    page.type("#trial-share", "50")
    page.click("#trial-form [type=submit]")
    page.click("#confirm-yes")
    page.until(lambda: page.text("trial-title") == "Result of spring", "the experiment")
    page.until(lambda: "There is no result: " in page.text("trial-conclusion"), "the reason")
    for user in range(200):
        page.driver.execute_async_script(
            """fetch('v1/recommend', {method: 'POST', headers: {'Content-Type': 'application/json'},
            body: JSON.stringify({user: `person-${arguments[0]}`})}).then(arguments[1])""",
            user,
        )
    page.click("#trial-event-form [type=submit]")
    page.until(lambda: page.texts("#trial-metrics li"), "the result")
    counts = [
        int(re.search(r"\d+", row.removeprefix("control").removeprefix("varied"))[0])
        for row in page.texts("#trial-users tr")
    ]
    assert len(counts) == 2 and all(counts)
    page.click("#trial-stop")
    page.click("#confirm-yes")
    page.until(lambda: page.texts("#trials .badge") == ["stopped"], "the state")
    assert page.text("alerts") == ""


def test_no_request_leaves_the_service(page):
    page.open().choose()
    for view in VIEWS[1:]:
        page.click(f"[data-view={view}]")
        page.until(lambda view=view: page.texts(f"#view-{view} li, #view-{view} tr"), "the lists")
    messages = [json.loads(entry["message"])["message"] for entry in page.driver.get_log("performance")]
    urls = [m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"]
    assert len(urls) > 10
    assert [url for url in urls if not url.startswith((page.url + "/", "data:", "about:"))] == []


def test_the_files_hold_no_inline_script_style_or_foreign_address():
    index = (PAGE / "index.html").read_text(encoding="utf-8")
    assert not re.search(r"\s(?:style|on[a-z]+)=|<style|<script(?! type=\"module\" src=)", index)
    for file in PAGE.iterdir():
        text = file.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
        assert "://" not in text, f"{file.name} names an address"
        assert "innerHTML" not in text and "insertAdjacentHTML" not in text and "document.write" not in text
