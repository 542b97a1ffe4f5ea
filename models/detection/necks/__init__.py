"""From a backbone's feature maps to the pyramid that a head predicts from, finest level first."""
