"""The weighted mean of two trainings of relume's network, exported.

    python scripts/average_weights.py runs/relume-3/relume.safetensors \
        runs/relume-4/relume.safetensors --share 0.7 \
        --estimator runs/relume-exposure/relume.safetensors -o runs/relume-mean

The second run must have started from the first one's weights: only then does their mean lie
between them in what it does, too (Wortsman et al., *Model soups*, ICML 2022). The exposure
estimator is taken whole from the file named.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from safetensors.torch import load_file

from relume.train.export import export_relume
from relume.train.phases import RelumeNet


def main() -> None:
    """Write the mean and its exports."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("first", type=Path)
    parser.add_argument("second", type=Path)
    parser.add_argument("--share", type=float, default=0.5, help="of the second, 0 to 1")
    parser.add_argument("--estimator", type=Path, required=True)
    parser.add_argument("-o", "--out", type=Path, required=True)
    options = parser.parse_args()
    if not 0 <= options.share <= 1:
        parser.error(f"expected a share from 0 to 1, got {options.share:g}")
    first, second, estimator = (
        load_file(str(path)) for path in (options.first, options.second, options.estimator)
    )
    state = {
        name: first[name].lerp(second[name], options.share)
        if name.startswith("picture.")
        else estimator[name]
        for name in first
    }
    net = RelumeNet()
    net.load_state_dict(state)
    options.out.mkdir(parents=True, exist_ok=True)
    for file in export_relume(net, options.out):
        print(file)


if __name__ == "__main__":
    main()
