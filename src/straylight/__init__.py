"""Straylight: universal perturbations from photographs, and their honest evaluation.

Can somebody who has never seen a medical image break this classifier, with one perturbation made from
ordinary photographs? After Minagi, Hirano & Takemoto, J. Imaging 2022, 8(2), 38.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
__version__ = "0.1.0"
