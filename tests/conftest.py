"""What every test shares: an offline, quiet, repeatable environment, hypothesis profiles, and the shared data.

The environment is set at import, before any test module can import a library that reads it.
"""

import os
import signal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

REPO = Path(__file__).resolve().parent.parent
SLOW_SECONDS = 300

os.environ.update(
    HF_HUB_OFFLINE="1",  # no test reaches a model hub
    HF_DATASETS_OFFLINE="1",
    TOKENIZERS_PARALLELISM="false",  # or its threads warn after every fork
    MPLBACKEND="Agg",
    NO_COLOR="1",  # output is compared as plain text
    HF_HUB_DISABLE_TELEMETRY="1",
    DO_NOT_TRACK="1",
    UNSLOTH_DISABLE_STATISTICS="1",
    RAY_USAGE_STATS_ENABLED="0",
    WANDB_DISABLED="true",
)

# A shell without job control gives what it starts in the background an ignored Ctrl-C, and so do we what we start: runs that are to be
# interrupted would not be.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

settings.register_profile("ci", derandomize=True, deadline=None, print_blob=True)
settings.register_profile(
    "search", deadline=None, max_examples=2000, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give `slow` tests their longer limit, and skip `gpu` ones where there is no GPU."""
    for item in items:
        if item.get_closest_marker("slow") and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(SLOW_SECONDS))
        if item.get_closest_marker("gpu") and not has_gpu():
            item.add_marker(pytest.mark.skip(reason="no CUDA device on this machine"))


def has_gpu() -> bool:
    """Whether a CUDA device answers; torch is imported only when a test asks."""
    import torch

    return torch.cuda.is_available()


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real pages, books and gold texts beside the repository, or the one that GRISTMILL_SHARED_DATA names."""
    folder = Path(os.environ.get("GRISTMILL_SHARED_DATA", REPO.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no shared data: {folder} is not a folder; GRISTMILL_SHARED_DATA may name one")
    return folder
