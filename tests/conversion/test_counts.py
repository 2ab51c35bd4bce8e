"""The parameters that a manifest states are those that transformers counts for its true shape.

Not covered: memory beside the weights.
"""

from __future__ import annotations

import pytest

from ocils.domain.model import Manifest

from .architectures import MANIFESTS, config_of

pytestmark = [pytest.mark.convert, pytest.mark.filterwarnings("ignore")]

SHAPES = {(m.family, m.shape): m for m in MANIFESTS}


@pytest.mark.parametrize("manifest", SHAPES.values(), ids=lambda m: m.name)
def test_parameters(manifest: Manifest) -> None:
    import torch  # type: ignore[import-not-found]
    import transformers  # type: ignore[import-not-found]

    assert manifest.shape is not None
    config = config_of(manifest.family, manifest.shape, manifest.rope)
    with torch.device("meta"):
        model = transformers.AutoModelForCausalLM.from_config(config)
    # Tied tables are one parameter there, and one here.
    assert sum(each.numel() for each in model.parameters()) == manifest.parameters
