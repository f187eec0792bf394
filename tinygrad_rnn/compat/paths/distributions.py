"""By which path do scripts import distributions? ``torch.distributions``, of which there are four here."""

from tinygrad_rnn.compat.chances import Bernoulli, Categorical, Normal, Uniform, kl_divergence

__all__ = ["Bernoulli", "Categorical", "Normal", "Uniform", "kl_divergence"]
