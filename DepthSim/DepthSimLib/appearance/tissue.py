"""The optics of mucosa, from how much blood it holds to how much light it gives back.

Three wavelengths stand for the colour channels. Arrays end in the channels: red, green, blue. Coefficients are in 1/cm,
as in the literature.
"""

import numpy as np

WHITE_LIGHT_NM = (620.0, 550.0, 450.0)

NARROW_BAND_NM = (540.0, 414.0, 414.0)
"""Narrow-band imaging shows green light as red, and violet light as green and blue (Gono et al., J. Biomed. Opt. 2004:
540 and 415 nm)."""

HEMOGLOBIN_G_L = 150.0
"""In whole blood."""

HEMOGLOBIN_G_MOL = 64_500.0

MOLAR_EXTINCTION: dict[float, tuple[float, float]] = {
    414.0: (524_280.0, 342_596.0),  # this row and that of 540 nm assumed: recalled, not looked up again
    450.0: (62_816.0, 103_292.0),
    540.0: (53_236.0, 46_592.0),
    550.0: (43_016.0, 53_412.0),
    620.0: (942.0, 6_509.6),
}
"""ε of oxygenated and deoxygenated haemoglobin by wavelength in nm, 1/(cm M), as compiled by S. Prahl (omlc.org)."""

REDUCED_SCATTERING_500_CM, SCATTERING_POWER = 9.22, 0.845
"""μ_s′ = 9.22 (λ / 500 nm)^−0.845 /cm, through the ends of what Marchesini et al. (Lasers Surg. Med. 1994) measured on
human colon: 14.2 /cm at 300 nm and 6.2 /cm at 800 nm."""

PIGMENT_500_CM, PIGMENT_POWER = 519.0, 3.5
"""μ_a of melanosomes, 519 (λ / 500 nm)^−3.5 /cm (Jacques, Phys. Med. Biol. 2013; assumed). It stands for the brown
lipofuscin of melanosis coli too."""

REFRACTIVE_INDEX = 1.38
"""Of mucosa."""

FILM_REFRACTIVE_INDEX = 1.33
"""Of the watery film on it."""


def blood_absorption_cm(bands_nm: tuple[float, ...], oxygenation: float) -> np.ndarray:
    """μ_a of whole blood (bands,): ln 10 · ε · c, oxygenation being the share of oxygenated haemoglobin."""
    oxygenated, deoxygenated = np.array([MOLAR_EXTINCTION[band] for band in bands_nm]).T
    extinction = oxygenation * oxygenated + (1.0 - oxygenation) * deoxygenated
    return np.log(10.0) * extinction * HEMOGLOBIN_G_L / HEMOGLOBIN_G_MOL


def pigment_absorption_cm(bands_nm: tuple[float, ...]) -> np.ndarray:
    """μ_a of melanosomes (bands,)."""
    return PIGMENT_500_CM * (np.array(bands_nm) / 500.0) ** -PIGMENT_POWER


def reduced_scattering_cm(bands_nm: tuple[float, ...]) -> np.ndarray:
    """μ_s′ of mucosa (bands,)."""
    return REDUCED_SCATTERING_500_CM * (np.array(bands_nm) / 500.0) ** -SCATTERING_POWER


def single_scattering_albedo(absorption: np.ndarray, reduced_scattering: np.ndarray, g: float) -> np.ndarray:
    """μ_s / (μ_a + μ_s) with μ_s = μ_s′ / (1 − g); at g = 0 the reduced albedo a′."""
    scattering = reduced_scattering / (1.0 - g)
    return scattering / (absorption + scattering)


def diffuse_reflectance(
    absorption: np.ndarray, reduced_scattering: np.ndarray, refractive_index: float = REFRACTIVE_INDEX
) -> np.ndarray:
    """R_d, the share of light that a half-space of tissue gives back after scattering.

    Farrell, Patterson and Wilson, Med. Phys. 19, 1992, integrated over the surface:
    a′/2 (1 + exp(−4/3 A √(3(1 − a′)))) exp(−√(3(1 − a′))), with Groenhuis's internal reflection in A.
    """
    albedo = single_scattering_albedo(absorption, reduced_scattering, 0.0)
    n = refractive_index
    internal = -1.440 / n**2 + 0.710 / n + 0.668 + 0.0636 * n
    mismatch = (1.0 + internal) / (1.0 - internal)
    root = np.sqrt(3.0 * (1.0 - albedo))
    return 0.5 * albedo * (1.0 + np.exp(-4.0 / 3.0 * mismatch * root)) * np.exp(-root)


def normal_reflectance(refractive_index: float) -> float:
    """Fresnel's F₀ = ((n − 1) / (n + 1))² from air."""
    return ((refractive_index - 1.0) / (refractive_index + 1.0)) ** 2
