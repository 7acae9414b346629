"""Events, catalogue and deletes over HTTP in any order, against a model of what must hold."""

import itertools

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from service_process import N_ITEMS, Api, serving, shop, with_model

USERS, ITEMS = st.integers(0, 4), st.integers(0, N_ITEMS - 1)
NUMBERS = itertools.count(1)


def machine_of(api):
    """Return the machine on a server; each run has users of its own."""

    class Machine(RuleBasedStateMachine):
        @initialize()
        def begin(self):
            self.first = 1_000_000 + 10 * next(NUMBERS)
            self.events = {self.first + n: [] for n in range(5)}
            self.ids = {}
            self.merged = {}
            self.hidden = set()
            self.gone = set()
            self.stock = {}
            rows = [{"item": item, "stock": None, "hidden": False} for item in range(N_ITEMS)]
            api.ok("PUT", "/v1/items", rows)

        def who(self, user):
            return self.merged.get(self.first + user, self.first + user)

        @rule(user=USERS, item=ITEMS, number=st.none() | st.integers(0, 3))
        def event(self, user, item, number):
            name = None if number is None else f"{self.first}-{number}"
            known = name is not None and name in self.ids
            answer = api.ok("POST", "/v1/events", {"id": name, "user": self.first + user, "item": item})
            assert (answer["accepted"], answer["duplicates"]) == ((0, 1) if known else (1, 0))
            if not known:
                self.events[self.who(user)].append(item)
                if name is not None:
                    self.ids[name] = self.who(user)

        @rule(users=st.lists(st.tuples(USERS, ITEMS), min_size=1, max_size=4))
        def batch(self, users):
            body = [{"user": self.first + user, "item": item} for user, item in users]
            assert api.ok("POST", "/v1/events", [*body, {"user": 1}])["accepted"] == len(users)
            for user, item in users:
                self.events[self.who(user)].append(item)

        @rule(item=ITEMS, hidden=st.booleans())
        def hide(self, item, hidden):
            api.ok("PATCH", "/v1/items", [{"item": item, "hidden": hidden}])
            (self.hidden.add if hidden else self.hidden.discard)(item)
            self.gone.discard(item)

        @rule(item=ITEMS, stock=st.integers(0, 2))
        def sell(self, item, stock):
            api.ok("PATCH", "/v1/items", [{"item": item, "stock": stock}])
            self.stock[item] = stock
            self.gone.discard(item)

        @rule(item=ITEMS)
        def delete_item(self, item):
            assert api.ok("DELETE", "/v1/items", {"items": [item]})["deleted"] == (item not in self.gone)
            self.gone.add(item)
            self.hidden.discard(item)
            self.stock.pop(item, None)

        @rule(source=USERS, into=USERS)
        def merge(self, source, into):
            old, new = self.first + source, self.who(into)
            status, answer = api("POST", "/v1/users/merge", {"from": old, "into": self.first + into})
            if source == into or (self.who(source) != old and self.who(source) != new):
                assert status == 409
            elif self.who(source) == new:
                assert answer == {"moved": 0}
            else:
                assert answer == {"moved": len(self.events[old])}
                self.events[new] = [*self.events[new], *self.events[old]]
                self.events[old] = []
                self.merged = {who: new if target == old else target for who, target in self.merged.items()}
                self.merged[old] = new

        @rule(user=USERS)
        def delete_user(self, user):
            person = self.who(user)
            assert api("DELETE", f"/v1/users/{self.first + user}")[0] == 202
            self.events[person] = []
            self.ids = {name: who for name, who in self.ids.items() if who != person}
            self.merged = {who: target for who, target in self.merged.items() if target != person}

        @rule(user=USERS, repeats=st.booleans(), in_stock=st.booleans())
        def recommend(self, user, repeats, in_stock):
            body = {"user": self.who(user), "k": N_ITEMS, "repeats": repeats}
            wanted = set(range(N_ITEMS)) - self.hidden
            if in_stock:
                body["filter"] = {"in_stock": True}
                wanted -= self.gone | {item for item, stock in self.stock.items() if stock == 0}
            if not repeats:
                wanted -= set(self.events[self.who(user)])
            answer = api.ok("POST", "/v1/recommend", body)
            found = [row["item"] for row in answer["items"]]
            assert len(found) == len(set(found)) and set(found) == wanted
            assert answer["fallback"] is False

        @invariant()
        def histories_are_what_was_sent(self):
            for user, items in self.events.items():
                found = api.ok("GET", f"/v1/users/{user}/history")["events"]
                assert sorted(row["item"] for row in found) == sorted(items)

    return Machine


def check(tmp_path, **how):
    with serving(with_model(tmp_path, shop())) as app:
        quiet = settings(deadline=None, database=None, suppress_health_check=list(HealthCheck), **how)
        run_state_machine_as_test(machine_of(Api(app.port)), settings=quiet)


def test_events_items_and_deletes_in_any_order(tmp_path):
    check(tmp_path, max_examples=12, stateful_step_count=15, derandomize=True)


@pytest.mark.slow
def test_events_items_and_deletes_in_many_orders(tmp_path):
    check(tmp_path, max_examples=300, stateful_step_count=40)
