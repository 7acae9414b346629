"""The files in deploy/: valid, without secrets, not as root, behind keys; the exit codes of the daily script."""

import json
import re
import runpy
import shutil
import subprocess
import sys
import tomllib
from dataclasses import fields
from pathlib import Path

import pytest

from skrec.serving import Client, ServiceError, Settings

DEPLOY = Path(__file__).parents[2] / "deploy"
if not DEPLOY.exists():
    pytest.skip("deploy/ is not beside the tests", allow_module_level=True)
FILES = sorted(path for path in DEPLOY.iterdir() if path.is_file() and path.name != ".env")
INSTRUCTIONS = (
    "ADD ARG CMD COPY ENTRYPOINT ENV EXPOSE FROM HEALTHCHECK LABEL ONBUILD RUN SHELL STOPSIGNAL USER VOLUME WORKDIR"
)


def instructions():
    """Return the instructions of the Dockerfile and their arguments, continued lines joined."""
    lines = [line for line in (DEPLOY / "Dockerfile").read_text().splitlines() if line.strip()[:1] not in ("#", "")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    return [tuple(line.split(None, 1)) for line in joined.splitlines()]


def variables_of(arguments):
    return dict(re.findall(r"(\w+)=(\S+)", arguments))


# ---- all files -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_no_secret(path):
    text = path.read_text()
    assert not re.search(r"skrec_[\w-]{40,}|BEGIN [A-Z ]*PRIVATE KEY|AKIA[0-9A-Z]{16}", text)
    for value in re.findall(r"[A-Z_]*(?:PASSWORD|SECRET|TOKEN|KEY)[A-Z_]*\s*[:=](?!\?)\s*(\S+)", text):
        assert value.lstrip("\"'").startswith(("$", "...")), f"{path.name} has a value for a secret"
    for password in re.findall(r"postgresql://\w+:([^@\s]+)@", text):
        assert password.startswith("$"), f"{path.name} has a password in a URL"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_settings_in_the_environment_exist(path):
    known = {field.name for field in fields(Settings)}
    named = {name.lower() for name in re.findall(r"SKREC_SERVE_([A-Z_]+)", path.read_text())}
    assert named <= known, f"{path.name} names settings that do not exist: {named - known}"


# ---- the configuration ---------------------------------------------------------------------------------------------


def test_configuration_loads_and_names_all_settings():
    path = DEPLOY / "skrec.toml"
    settings = Settings.read(path, {})
    assert settings.is_loopback
    assert settings.log_format == "json"
    named = set(re.findall(r"^(?:# )?(\w+) = ", path.read_text(), re.MULTILINE))
    assert named == {field.name for field in fields(Settings)}


def test_configuration_shows_the_defaults():
    text = (DEPLOY / "skrec.toml").read_text()
    shown = tomllib.loads("\n".join(re.findall(r"^# (\w+ = .*)$", text, re.MULTILINE)))
    defaults = {field.name: field.default for field in fields(Settings)}
    assert shown == {name: defaults[name] for name in shown}


def test_guide_has_all_settings_with_their_defaults():
    guide = DEPLOY.parent / "docs" / "user_guide" / "serve.md"
    if not guide.exists():
        pytest.skip("the documentation is not beside the tests")
    rows = re.findall(r"^\| `(\w+)` \| `([^`]+)` \|", guide.read_text(), re.MULTILINE)
    shown = tomllib.loads("\n".join(f"{name} = {value}" for name, value in rows))
    assert shown == {field.name: field.default for field in fields(Settings)}


def test_requests_of_the_guide_are_valid():
    schemas = pytest.importorskip("skrec.serving._schemas", reason="pydantic is not installed")
    guide = DEPLOY.parent / "docs" / "user_guide" / "serve.md"
    if not guide.exists():
        pytest.skip("the documentation is not beside the tests")
    kinds = {"events": schemas.EventIn, "recommend": schemas.RecommendIn, "items": schemas.ItemIn}
    from skrec.serving._schemas_experiments import ExperimentIn, RampIn

    kinds |= {"rules/home": schemas.RulesIn, "rules/varied": schemas.RulesIn}
    kinds |= {"experiments": ExperimentIn, "experiments/spring/ramp": RampIn}
    found = re.findall(r"curl -X \w+ \S+/v1/(\S+) -H 'content-type: application/json' -d '([^']+)'", guide.read_text())
    assert {path for path, _ in found} == set(kinds)
    for path, body in found:
        values = json.loads(body)
        for value in values if isinstance(values, list) else [values]:
            kinds[path].model_validate(value)


# ---- the image -----------------------------------------------------------------------------------------------------


def test_dockerfile_has_known_instructions_and_begins_with_an_image():
    names = [name for name, _ in instructions()]
    assert set(names) <= set(INSTRUCTIONS.split())
    assert names[0] == "FROM" and names.count("ENTRYPOINT") == names.count("HEALTHCHECK") == 1
    assert "ADD" not in names, "ADD fetches and unpacks: COPY does what is meant"
    images = [arguments.split()[0] for name, arguments in instructions() if name == "FROM"]
    assert all(re.fullmatch(r"[\w./-]+:[\w.-]+", image) and not image.endswith(":latest") for image in images)


def test_image_does_not_run_as_root():
    found = instructions()
    last = max(place for place, (name, _) in enumerate(found) if name == "FROM")
    users = [arguments for name, arguments in found[last:] if name == "USER"]
    assert users and users[-1] not in ("root", "0")
    made = next(arguments for name, arguments in found[last:] if name == "RUN")
    assert f"--owner={users[-1]}" in made, "the user must be able to write the data"


def test_image_has_its_data_in_the_volume_and_needs_a_key():
    found = dict(instructions())  # of repeated instructions the last, which is that of the image
    variables = variables_of(found["ENV"])
    environment = {name: text for name, text in variables.items() if name.startswith("SKREC_")}
    settings = Settings.read(None, environment)
    assert not settings.is_loopback, "a container is reached from outside, so the service asks for a key"
    assert settings.database.startswith(f"sqlite:///{found['VOLUME']}/")
    assert settings.models.startswith(found["VOLUME"])
    assert str(settings.port) == found["EXPOSE"] and f":{settings.port}/health/ready" in found["HEALTHCHECK"]


def test_image_is_built_from_named_files():
    root = DEPLOY.parent
    sources = [
        arguments.split()[:-1] for name, arguments in instructions() if name == "COPY" and "--from" not in arguments
    ]
    allowed = [
        line[1:] for line in (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines() if line.startswith("!")
    ]
    for source in [name.removeprefix("./") for names in sources for name in names]:
        assert (root / source).exists() and source in allowed


# ---- compose -------------------------------------------------------------------------------------------------------


def test_compose_is_behind_loopback_and_starts_in_order():
    yaml = pytest.importorskip("yaml", reason="PyYAML is not installed")
    found = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    services = found["services"]
    assert all(port.startswith("127.0.0.1:") for service in services.values() for port in service.get("ports", []))
    skrec, postgres = services["skrec"], services["postgres"]
    assert "ports" not in postgres and found["networks"]["back"] == {"internal": True}
    assert skrec["depends_on"]["postgres"]["condition"] == "service_healthy" and "healthcheck" in postgres
    assert (DEPLOY / skrec["build"]["context"] / skrec["build"]["dockerfile"]).exists()
    url = re.sub(r"\$\{[^}]*\}", "secret", skrec["environment"]["SKREC_SERVE_DATABASE"])
    settings = Settings.read(None, {**skrec["environment"], "SKREC_SERVE_DATABASE": url})
    assert "secret" not in settings.shown()["database"]
    assert settings.database == f"postgresql://{postgres['environment']['POSTGRES_USER']}:secret@postgres/skrec"
    for service in services.values():
        volumes = [volume.split(":")[0] for volume in service["volumes"]]
        assert set(volumes) <= set(found["volumes"]) and set(service["networks"]) <= set(found["networks"])
        assert not service.get("privileged") and "no-new-privileges:true" in service["security_opt"]


def test_compose_is_plain_text_that_any_reader_takes():
    lines = (DEPLOY / "compose.yaml").read_text().splitlines()
    assert not any("\t" in line for line in lines)
    assert all((len(line) - len(line.lstrip(" "))) % 2 == 0 for line in lines)


# ---- systemd -------------------------------------------------------------------------------------------------------


def test_units_do_not_run_as_root_and_name_files_that_are_described():
    service = (DEPLOY / "skrec.service").read_text()
    for path in DEPLOY.glob("*.service"):
        assert re.search(r"^User=(?!root)\w+$", path.read_text(), re.MULTILINE)
        assert "NoNewPrivileges=yes" in path.read_text()
    state = "/var/lib/" + re.search(r"^StateDirectory=(\w+)$", service, re.MULTILINE)[1]
    settings = Settings.read(DEPLOY / "skrec.toml", {})
    assert settings.database.startswith(f"sqlite:///{state}/") and settings.models.startswith(f"{state}/")
    assert service.index("--check") < service.index("ExecStart=")


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
def test_units_are_valid(tmp_path):
    units = []
    for path in [*DEPLOY.glob("*.service"), *DEPLOY.glob("*.timer")]:
        text = re.sub(r"/opt/skrec/bin/(skrec|python)", sys.executable, path.read_text())  # it must be there
        units.append(tmp_path / path.name)
        units[-1].write_text(text)
    command = ["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", *map(str, units)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    if "Failed to initialize manager" in done.stderr or "Failed to connect" in done.stderr:
        pytest.skip(f"systemd-analyze does not work here: {done.stderr.strip()[:200]}")
    complaints = [line for line in done.stderr.splitlines() if str(tmp_path) in line or "skrec" in line]
    assert done.returncode == 0 and not complaints, done.stderr


# ---- the daily script ----------------------------------------------------------------------------------------------

DAILY = runpy.run_path(str(DEPLOY / "daily.py"))
MODEL = {"version": 1, "class": "EASE", "learned_until": None}
DAY = {"day": "2026-01-01", "version": 1, "n_users": 10, "ndcg": 0.2, "hit_rate": 0.3, "popularity_ndcg": 0.1}


class Double:
    """Answers in place of a client."""

    def __init__(self, **answers):
        self.answers = {"ready": True, "status": {"model": MODEL, "quality": []}, "jobs": [], **answers}

    def __getattr__(self, name):
        def answer(*_, **__):
            found = self.answers[name]
            if isinstance(found, Exception):
                raise found
            return found.pop(0) if name == "job" and len(found) > 1 else found[0] if name == "job" else found

        return answer


@pytest.mark.parametrize(
    ("answers", "code", "says"),
    [
        ({}, 0, "no day"),
        ({"ready": False}, 1, "not ready"),
        ({"status": {"model": None, "quality": []}}, 1, "no model"),
        ({"jobs": [{"id": 3, "kind": "refit", "status": "failed", "result": {"reason": "disk full"}}]}, 1, "disk full"),
        (
            {"jobs": [{"id": 4, "kind": "refit", "status": "done", "result": {}},
                      {"id": 3, "kind": "refit", "status": "failed", "result": None}]}, 0, "no day",
        ),
        ({"status": {"model": MODEL, "quality": [DAY]}}, 0, "0.2000"),
        ({"status": {"model": MODEL, "quality": [DAY | {"popularity_ndcg": 0.3}]}}, 3, "0.3000"),
        ({"status": {"model": MODEL | {"learned_until": "2020-01-01T00:00:00+00:00"}, "quality": [DAY]}}, 3, "2020"),
    ],
)  # fmt: skip
def test_check(capsys, answers, code, says):
    assert DAILY["check"](Double(**answers)) == code
    out, err = capsys.readouterr()
    assert says in (err if code else out)


@pytest.mark.parametrize(
    ("result", "status", "code"),
    [
        ({"promoted": True, "version": 2, "judgement": {"passed": True}}, "done", 0),
        ({"promoted": False, "version": 2, "reason": "NDCG@10 is lower"}, "done", 3),
        ({"reason": "no events"}, "failed", 1),
    ],
)
def test_refit(monkeypatch, result, status, code):
    monkeypatch.setattr(DAILY["time"], "sleep", lambda _: None)
    jobs = [{"id": 1, "status": one, "result": None} for one in ("waiting", "running")]
    jobs.append({"id": 1, "status": status, "result": result})
    assert DAILY["refit"](Double(add_job=1, job=jobs)) == code


def test_refit_that_never_ends(monkeypatch):
    monkeypatch.setattr(DAILY["time"], "sleep", lambda _: None)
    assert DAILY["refit"](Double(add_job=1, job=[{"id": 1, "status": "waiting"}]), timeout=0.01) == 1


@pytest.mark.parametrize(("answer", "code"), [({"version": 2}, 0), (ServiceError(409, "Conflict", "it is worse"), 3)])
def test_offer(answer, code):
    assert DAILY["offer"](Double(upload_model={"version": 2}, promote=answer), "model.skrec") == code


def test_without_a_service(monkeypatch, capsys):
    monkeypatch.setenv("SKREC_URL", "http://127.0.0.1:9")  # nothing listens there
    assert [DAILY["main"]([command]) for command in ("check", "refit")] == [1, 1]
    assert "not ready" in capsys.readouterr().err
    assert all(
        hasattr(Client, name) for name in ("ready", "status", "jobs", "job", "add_job", "upload_model", "promote")
    )
