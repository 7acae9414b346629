"""A process that submits events under load and prints the ids that were acknowledged, until it is killed.

``python store_process.py URL NAME [N_IDS]``: each line of the output is the number of a submit and its answer; the
ids of
its events are "NAME-number-place", or, with N_IDS, drawn from that many ids that all processes share.
"""

import os
import random
import sys
import threading

from skrec.serving._store import Event, open_store


def main(url, name, n_ids=None):
    store = open_store(url)
    store.start()
    numbers = iter(range(10**9))
    lock = threading.Lock()

    def submit():
        draw = random.Random()
        while True:
            with lock:
                number = next(numbers)
            size = draw.choice((1, 1, 1, 4))
            ids = [f"{name}-{number}-{place}-{size}" for place in range(size)]
            if n_ids:
                ids = [str(draw.randrange(int(n_ids))) for _ in ids]
            user = f"user {draw.randrange(50)}"
            answer = store.submit([Event(one, user, "item", "buy", number, session=name) for one in ids]).result()
            line = " ".join(one for one, is_new in zip(ids, answer, strict=True) if is_new)
            os.write(1, f"{line};\n".encode())  # one call: a line is whole, or it lacks the semicolon

    threads = [threading.Thread(target=submit, daemon=True) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    main(*sys.argv[1:])
