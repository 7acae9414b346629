"""Links from the pages of the API to the user guide."""

from pathlib import Path

from models_table import FACTS
from public_api import public_names

GUIDE = Path(__file__).parent / "user_guide"
# pages of modules, and of names that have another than their module
PAGES = {
    "advice": {"": "which_model", "AutoRecommender": "auto", "check_log": "check"},
    "base": {"": "own_recommender"},
    "cli": {"": "command_line"},
    "datasets": {"": "data", "load_fashion_mnist": "cnn_encoder", "load_online_shoppers": "purchase_classifier"},
    "feature_extraction": {
        "": "data",
        "BehaviorFeatures": "behavior_features",
        "BM25Transformer": "vectorizers",
        "HistoryVectorizer": "vectorizers",
    },
    "inspection": {
        "": "explanations",
        "DriftDisplay": "drift",
        "DriftMonitor": "drift",
        "drift_gauges": "drift",
        "ExperimentDisplay": "experiments",
        "hit_rate_interval": "drift",
        "profile_log": "data",
        "score_requests": "drift",
        "staleness": "drift",
        "TrainingDisplay": "sequence_nets",
        "write_report": "report",
    },
    "large": {"": "large"},
    "large.spark": {"": "spark"},
    "metrics": {"": "evaluation", "value_at_k": "value"},
    "model_selection": {
        "": "evaluation",
        "analyze_experiment": "experiments",
        "default_grid": "choosing_parameters",
        "Experiment": "experiments",
        "experiment_baseline": "experiments",
        "ExperimentResult": "experiments",
        "histories_at": "off_policy",
        "off_policy_evaluation": "off_policy",
        "OffPolicyResult": "off_policy",
        "plan_experiment": "experiments",
        "split_next_purchase": "behavior_features",
    },
    "neural_network": {
        "": "sequence_nets",
        "CNNEncoder": "cnn_encoder",
        "LSTMEncoder": "lstm_encoder",
        "PurchaseClassifier": "purchase_classifier",
    },
    "persistence": {"": "persistence"},
    "recipes": {"": "recipes"},
    "serving": {"": "serve", "logged_lists": "off_policy"},
    "testing": {"": "own_recommender"},
}


def guide_pages() -> dict[str, str]:
    """Return the name of the guide's page of each public name, by its path; names without a page are left out."""
    pages = {}
    for module, names in public_names().items():
        listed = PAGES.get(module.removeprefix("skrec."), {})
        for name in names:
            of_model = FACTS[name][0][0] if name in FACTS else None
            for page in (listed.get(name), of_model, listed.get("")):
                if page and (GUIDE / f"{page}.md").exists():
                    pages[f"{module}.{name}"] = page
                    break
    return pages


def with_guide_link(lines: list[str], page: str) -> list[str]:
    """Return the lines of a docstring with a link to the guide behind the summary."""
    start = next((number for number, line in enumerate(lines) if line.strip()), len(lines))
    end = next((number for number in range(start, len(lines)) if not lines[number].strip()), len(lines))
    return [*lines[:end], "", f"Read more in the guide: :doc:`/user_guide/{page}`.", *lines[end:]]
