"""The cluster recipe: what Ray's own launcher says of it, and that its parts exist."""

from __future__ import annotations

import importlib.util
import json
import re
from pathlib import Path

import pytest

yaml = pytest.importorskip("yaml", reason="needs pyyaml")
FOLDER = Path(__file__).parents[2] / "examples" / "cluster"


def test_every_type_and_file_it_names_is_there() -> None:
    config = yaml.safe_load((FOLDER / "cluster.yaml").read_text())
    assert config["head_node_type"] in config["available_node_types"]
    assert config["available_node_types"]["worker"]["max_workers"] <= config["max_workers"]
    root = FOLDER.parents[1]
    for copied in re.findall(r"^COPY (.+) \S+$", (FOLDER / "Dockerfile").read_text(), re.M):
        assert all((root / name).exists() for name in copied.split()), copied


def test_rays_launcher_takes_it() -> None:
    ray = importlib.util.find_spec("ray")
    if ray is None or ray.origin is None:
        pytest.skip("needs Ray: pip install 'relume[ray]'")
    jsonschema = pytest.importorskip("jsonschema", reason="Ray's launcher needs jsonschema")
    schema = json.loads((Path(ray.origin).parent / "autoscaler" / "ray-schema.json").read_text())
    config = yaml.safe_load((FOLDER / "cluster.yaml").read_text())
    jsonschema.validate(config, schema)
    with pytest.raises(jsonschema.ValidationError, match="Additional properties"):
        jsonschema.validate({**config, "available_nodes": {}}, schema)
