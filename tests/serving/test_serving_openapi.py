"""The OpenAPI document against the service: no request that it describes, valid or not, is an error of the service."""

import pytest
from hypothesis import HealthCheck, Phase, settings
from service_process import N_ITEMS, Api, catalogue, serving, shop, with_model

schemathesis = pytest.importorskip("schemathesis")
SEED = 17


@pytest.fixture(scope="module")
def api(tmp_path_factory):
    # without the calls that change much: many random requests follow
    with serving(with_model(tmp_path_factory.mktemp("fuzzed"), shop(), deadline_ms=5000.0)) as app:
        api = Api(app.port)
        api.ok("PUT", "/v1/items", catalogue(range(N_ITEMS)))
        yield api


def attack(api, n_examples):
    """Send random requests to every operation; return how many, and what came with 5xx."""
    schema = schemathesis.openapi.from_url(f"http://127.0.0.1:{api.port}/openapi.json")
    sent, failed, operations = 0, [], []

    for found in schema.get_all_operations():
        operation = found.ok()
        operations.append(f"{operation.method.upper()} {operation.path}")
        for mode in (schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE):
            try:
                strategy = operation.as_strategy(generation_mode=mode)
            except Exception as error:  # nothing invalid can be made of an operation without parameters
                assert mode is schemathesis.GenerationMode.NEGATIVE, error
                continue
            sent += _send(strategy, n_examples, failed)
    return sent, failed, operations


def _send(strategy, n_examples, failed):
    from hypothesis import given, seed

    count = 0

    @seed(SEED)
    @settings(
        max_examples=n_examples,
        database=None,
        deadline=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=strategy)
    def check(case):
        nonlocal count
        count += 1
        response = case.call()
        if response.status_code >= 500:
            failed.append((case.method, case.path, case.as_curl_command()[:500], response.text[:300]))

    try:
        check()
    except Exception as error:
        if "Unsatisfiable" not in type(error).__name__:
            raise
    return count


@pytest.mark.filterwarnings("ignore")
def test_no_request_is_an_error_of_the_service(api):
    sent, failed, operations = attack(api, 3)
    assert not failed, failed[:5]
    assert sent > 100 and len(operations) >= 30, (sent, operations)
    api.ok("GET", "/health/ready")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_no_request_of_many_is_an_error_of_the_service(api):
    sent, failed, _ = attack(api, 200)
    print(f"{sent:,} requests")
    assert not failed, failed[:5]
