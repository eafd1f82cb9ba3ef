"""What X-rays do: materials and tissues, spectra, the detector signal and its noise."""
