"""The reference model: a causal personalized enhancer, its personal voice activity detector, and their training.

Torch is imported by the modules of this folder, and not by the folder itself.
"""

REMEDY = "pip install 'pse-bench[baseline]'"  # which brings torch
