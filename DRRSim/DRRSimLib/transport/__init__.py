"""Monte Carlo transport of X-ray photons through a scene: scatter images and absorbed dose."""
