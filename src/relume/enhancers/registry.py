"""The catalogue of enhancers: one line for each."""

from __future__ import annotations

import functools

from relume.catalog import Catalog
from relume.enhancers.base import Enhancer
from relume.enhancers.baselines import Clahe, Fusion, Lime
from relume.enhancers.curves import AutoExposure, AutoGamma, Gamma, Original
from relume.enhancers.fast import FastEnhancer
from relume.enhancers.machine import MachineEnhancer
from relume.enhancers.onnx import OnnxEnhancer
from relume.enhancers.relume import RelumeEnhancer
from relume.enhancers.retinexnet import RetinexNetEnhancer


@functools.cache
def methods() -> Catalog[Enhancer]:
    """Every enhancement method, by name, those of other packages too; it may be added to."""
    catalogue: Catalog[Enhancer] = Catalog("method")
    catalogue.add(RelumeEnhancer.info, RelumeEnhancer)
    catalogue.add(FastEnhancer.info, FastEnhancer)
    catalogue.add(MachineEnhancer.info, MachineEnhancer)
    catalogue.add(RetinexNetEnhancer.info, RetinexNetEnhancer)
    catalogue.add(Original.info, Original)
    catalogue.add(Gamma.info, Gamma)
    catalogue.add(AutoGamma.info, AutoGamma)
    catalogue.add(AutoExposure.info, AutoExposure)
    catalogue.add(Clahe.info, Clahe)
    catalogue.add(Fusion.info, Fusion)
    catalogue.add(Lime.info, Lime)
    catalogue.add(OnnxEnhancer.info, OnnxEnhancer)
    catalogue.add_installed("relume.enhancers")
    return catalogue
