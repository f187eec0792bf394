"""By which path do scripts import distributions? ``torch.distributions``, of which there are four here."""

from tinygrad_rnn.compat.chances import Bernoulli, Categorical, Normal, Uniform, kl_divergence
from tinygrad_rnn.engine.signatures import readable

__all__ = ["Bernoulli", "Categorical", "Normal", "Uniform", "kl_divergence"]


readable(__name__)
