"""The values that travel between the packages of vssl: views, latents, losses and tables of embeddings.

A newcomer adds a column of the embeddings in `columns`, and a kind of view in `views`.
"""

from vssl.types.embeddings import Embeddings, to_arrow
from vssl.types.latents import Gaussian, Latent, Loss, Point
from vssl.types.views import Events, Images, Series, View

__all__ = ["Embeddings", "Events", "Gaussian", "Images", "Latent", "Loss", "Point", "Series", "View", "to_arrow"]
